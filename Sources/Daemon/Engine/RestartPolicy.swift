/// What happens when a container's process ends by itself: Docker's `RestartPolicy`.
public struct RestartPolicy: Sendable, Hashable {
    public enum Name: String, Sendable, Hashable {
        case no
        case always
        case unlessStopped = "unless-stopped"
        case onFailure = "on-failure"
    }

    public let name: Name
    /// How often `on-failure` tries; 0 is without end.
    public let maximumRetries: Int

    public init(_ name: Name, maximumRetries: Int = 0) { (self.name, self.maximumRetries) = (name, maximumRetries) }

    public static let never = RestartPolicy(.no)

    /// Whether a container whose run just ended is started again.
    ///
    /// - Parameters:
    ///   - restartCount: how often the policy has done so since somebody started it.
    ///   - stoppedByHand: somebody stopped or killed it: no policy goes against that.
    func restarts(exitCode: Int, restartCount: Int, stoppedByHand: Bool) -> Bool {
        guard !stoppedByHand else { return false }
        switch name {
        case .no: return false
        case .always, .unlessStopped: return true
        case .onFailure: return exitCode != 0 && (maximumRetries == 0 || restartCount < maximumRetries)
        }
    }

    /// Whether a container that does not run is started when the daemon starts: `always` even after it was stopped by
    /// hand, `unless-stopped` only if it was not; what never ran stays as it is.
    func startsWithDaemon(exitCode: Int, restartCount: Int, stoppedByHand: Bool, hasRun: Bool) -> Bool {
        guard hasRun else { return false }
        if name == .always { return true }
        return restarts(exitCode: exitCode, restartCount: restartCount, stoppedByHand: stoppedByHand)
    }
}

/// How long the next try waits: 100 ms, doubled each time up to a minute, from the start again after a run of ten seconds.
struct RestartDelay: Sendable, Hashable {
    static let first: Int64 = 100_000_000
    static let longest: Int64 = 60_000_000_000
    static let goodRun: Int64 = 10_000_000_000

    private var last: Int64 = 0

    /// The delay in nanoseconds after a run of `runtime` nanoseconds.
    mutating func next(afterRun runtime: Int64) -> Int64 {
        if runtime >= Self.goodRun { last = 0 }
        last = last == 0 ? Self.first : min(last * 2, Self.longest)
        return last
    }
}
