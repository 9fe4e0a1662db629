public import Linux

/// What a list call asks for.
public struct ContainerListRequest: Sendable {
    /// Also those that do not run.
    public var all: Bool
    /// At most so many of the newest, whatever their state; nil is no limit.
    public var limit: Int?
    public var filters: Filters
    public init(all: Bool = false, limit: Int? = nil, filters: Filters = Filters()) {
        (self.all, self.limit, self.filters) = (all, limit, filters)
    }
}

/// What a wait waits for.
public enum WaitCondition: String, Sendable, Hashable {
    case notRunning = "not-running"
    case nextExit = "next-exit"
    case removed
}

/// What a wait ends with.
public struct WaitResult: Sendable, Hashable {
    public let exitCode: Int
    /// Set only when the removal that was waited for failed.
    public let error: String?
    public init(exitCode: Int, error: String? = nil) { (self.exitCode, self.error) = (exitCode, error) }
}

/// Which streams an attach joins.
public struct AttachRequest: Sendable {
    public var stdin: Bool
    public var stdout: Bool
    public var stderr: Bool
    /// Replay the log first.
    public var logs: Bool
    /// Stay for what comes; false with `logs` only replays.
    public var stream: Bool
    public init(
        stdin: Bool = false, stdout: Bool = false, stderr: Bool = false, logs: Bool = false, stream: Bool = true
    ) {
        (self.stdin, self.stdout, self.stderr, self.logs, self.stream) = (stdin, stdout, stderr, logs, stream)
    }
}

/// One end of a joined container or exec: a stream socket for the edge to relay.
///
/// From it come the process's bytes — Docker's eight-byte frames without a terminal, raw with one — until the process and
/// its output have ended. Into it go the bytes for stdin, raw; `shutdown(SHUT_WR)` is the end of stdin. Errors that
/// happen after it was handed out come as a frame of stderr in band. Its end of file comes after the exit code is recorded.
public struct AttachedStream: ~Copyable, Sendable {
    /// nil when only a replay was asked for.
    public var socket: OwnedDescriptor?
    /// What to send before anything from the socket.
    public let replay: LogStream?
    /// Whether the bytes are raw: the container has a terminal.
    public let tty: Bool

    init(socket: consuming OwnedDescriptor?, replay: LogStream?, tty: Bool) {
        self.socket = socket
        self.replay = replay
        self.tty = tty
    }

    /// Gives the socket away.
    public mutating func takeSocket() -> OwnedDescriptor? { socket.take() }
}

/// What a logs call asks for.
public struct LogRequest: Sendable {
    public var stdout: Bool
    public var stderr: Bool
    public var follow: Bool
    /// Inclusive.
    public var since: Timestamp?
    public var until: Timestamp?
    /// The last so many records over both streams; nil is all.
    public var tail: Int?
    public init(
        stdout: Bool = true, stderr: Bool = true, follow: Bool = false, since: Timestamp? = nil,
        until: Timestamp? = nil, tail: Int? = nil
    ) {
        (self.stdout, self.stderr, self.follow, self.since, self.until, self.tail) = (
            stdout, stderr, follow, since, until, tail
        )
    }
}

/// What a prune removed.
public struct PruneResult: Sendable {
    /// Container ids, volume names or network names.
    public let removed: [String]
    public let reclaimedBytes: Int64
}

/// What `top` shows: columns, and a row of them per process.
public struct ProcessTable: Sendable {
    public let titles: [String]
    public let rows: [[String]]
}
