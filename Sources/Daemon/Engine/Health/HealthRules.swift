/// Decides what a probe's outcome means; does nothing itself.
struct HealthRules: Sendable, Hashable {
    let interval: Int64
    let timeout: Int64
    let startPeriod: Int64
    let startInterval: Int64
    let retries: Int

    private(set) var state = HealthState()
    /// The start period ends with the first success.
    private(set) var hasSucceeded = false

    /// Docker's defaults for what the check leaves open.
    init(_ check: HealthCheck) {
        interval = check.interval > 0 ? check.interval : 30_000_000_000
        timeout = check.timeout > 0 ? check.timeout : 30_000_000_000
        startPeriod = check.startPeriod
        startInterval = check.startInterval > 0 ? check.startInterval : 5_000_000_000
        retries = check.retries > 0 ? check.retries : 3
    }

    /// How long to wait before the next probe, counted from the end of the last.
    func delay(sinceStart age: Int64) -> Int64 {
        !hasSucceeded && age < startPeriod ? startInterval : interval
    }

    /// Takes a probe in.
    ///
    /// - Parameter age: how long the container had run when the probe began, in nanoseconds.
    /// - Returns: the new status if it is another.
    mutating func probed(_ probe: HealthProbe, sinceStart age: Int64) -> HealthState.Status? {
        let before = state.status
        state.log.append(probe)
        if state.log.count > 5 { state.log.removeFirst(state.log.count - 5) }
        if probe.exitCode == 0 {
            hasSucceeded = true
            state.failingStreak = 0
            state.status = .healthy
        } else if hasSucceeded || age >= startPeriod {
            state.failingStreak += 1
            if state.failingStreak >= retries { state.status = .unhealthy }
        }
        return state.status == before ? nil : state.status
    }
}
