/// What a container is doing, as Docker's `State.Status` names it.
public enum ContainerStatus: String, Sendable, Hashable, CaseIterable {
    case created, running, paused, restarting, removing, exited, dead
}

/// How a container is and how its last run ended.
public struct ContainerState: Sendable, Hashable {
    public internal(set) var status: ContainerStatus = .created
    /// The process id on the host of the container's init; 0 while it does not run.
    public internal(set) var pid: Int32 = 0
    /// The last run's exit status: 128 + n for signal n, 126/127/128 when the process could not be started.
    public internal(set) var exitCode: Int = 0
    /// Why the last start failed; empty otherwise.
    public internal(set) var error: String = ""
    public internal(set) var oomKilled: Bool = false
    public internal(set) var startedAt: Timestamp = .never
    public internal(set) var finishedAt: Timestamp = .never
    /// What the health check says; nil without one.
    public internal(set) var health: HealthState?

    public init() {}

    /// Docker's `State.Running`: also true while paused, and while it waits for its next try.
    public var isRunning: Bool { status == .running || status == .paused || status == .restarting }
    public var isPaused: Bool { status == .paused }
    public var isRestarting: Bool { status == .restarting }
    public var isDead: Bool { status == .dead }
}

/// What the probes of a health check have shown so far.
public struct HealthState: Sendable, Hashable {
    public enum Status: String, Sendable, Hashable { case starting, healthy, unhealthy }
    public internal(set) var status: Status = .starting
    /// Failures in a row that count.
    public internal(set) var failingStreak = 0
    /// The last five probes, oldest first.
    public internal(set) var log: [HealthProbe] = []

    public init() {}
}

/// One run of a health check's command.
public struct HealthProbe: Sendable, Hashable {
    public let start: Timestamp
    public let end: Timestamp
    /// 0 good, 1 bad, anything else bad too; -1 when it ran out of time.
    public let exitCode: Int
    /// The first 4096 bytes of what it printed.
    public let output: String

    public init(start: Timestamp, end: Timestamp, exitCode: Int, output: String) {
        (self.start, self.end, self.exitCode, self.output) = (start, end, exitCode, output)
    }
}
