public import JSON

/// What the daemon asks of a shim.
///
/// The exchange, over `SOCK_SEQPACKET`, one datagram per message (`ShimWire`); `d:` are descriptors that come along:
///
/// ```
/// daemon                                              shim
///   ── spawn(socket 3) ───────────────────────────────►  no state; ends by itself if the daemon goes now
///   ── launch(order)  d: network?, filter?, streams… ──►  listens on <directory>/shim.sock, makes the container
///   ◄─ started(pid)  or  failed(stage, errno, path) ───   after failed the shim has undone everything and ends
///   ── attach · exec · signal · resize · pause … ──────►
///   ◄─ one answer each: done · executing · processes · failed
///   ◄─ outOfMemory · execEnded(status) · exited(status)   whenever they happen, to every connection
///   ── forget(exec) · collect ─────────────────────────►  collect: cgroup and directory go, done, end
///
/// a daemon that comes back connects to shim.sock (same user only) and begins with
///   ── hello ──────────────────────────────────────────►
///   ◄─ state(everything still of interest) ────────────
/// ```
///
/// A shim that loses its daemon after `launch` goes on: it writes the log, reaps, and keeps every status until it was
/// collected. A newer daemon can talk to the shims an older one left: see ``ShimDialect``.
public enum ShimRequest: Sendable, Hashable {
    /// Make the container. Once, first, and on the spawn socket only.
    case launch(LaunchOrder)
    /// Who are you: the first request of every later connection.
    case hello
    /// Give a process a further stream; one descriptor. `process` is an exec's id, nil the container's first process.
    case attach(process: String?, stream: StreamOrder)
    /// Start a further process; one descriptor per stream.
    case exec(ExecOrder)
    case signal(Int32, to: SignalTarget)
    case resize(process: String?, rows: UInt16, columns: UInt16)
    case pause
    case resume
    /// New limits, as `linux.resources` of the runtime specification; what is absent stays.
    case update(JSON)
    /// The pids in the container's cgroup.
    case processes
    /// The exec's status was recorded.
    case forget(exec: String)
    /// The container's status was recorded. Refused while it runs.
    case collect

    public enum SignalTarget: Sendable, Hashable {
        /// The container's first process.
        case initial
        /// Every process in it.
        case all
        /// An exec.
        case exec(String)
    }
}

/// What a shim tells the daemon; `answers` carry the tag of the request.
public enum ShimEvent: Sendable, Hashable {
    /// Answer to `launch`: the program runs.
    case started(pid: Int32, at: Int64)
    /// Answer to any request: it was not done, and nothing of it is left.
    case failed(FailureReport)
    /// Answer to any request that has nothing to tell.
    case done
    /// Answer to `exec`: the program runs.
    case executing(id: String, pid: Int32)
    /// Answer to `processes`.
    case processes([Int32])
    /// Answer to `hello`.
    case state(ShimState)
    /// An exec ended; repeated in `state` until forgotten.
    case execEnded(id: String, ExitReport)
    /// The kernel killed something in the container for want of memory.
    case outOfMemory
    /// The container's first process ended, and its output is in the log.
    case exited(ExitReport)
    /// Something went wrong that stops nothing, such as a full disk under the log file.
    case warning(String)
}

/// How a process ended, and when (nanoseconds since 1970 UTC).
public struct ExitReport: Sendable, Hashable {
    public var code: Int32
    public var signal: Int32?
    public var oomKilled: Bool
    public var at: Int64

    public init(code: Int32, signal: Int32?, oomKilled: Bool, at: Int64) {
        self.code = code
        self.signal = signal
        self.oomKilled = oomKilled
        self.at = at
    }
}

/// Why something was not done.
public struct FailureReport: Error, Sendable, Hashable {
    /// The step of making a container or process that failed, or `request` for a request that made no sense.
    public var stage: String
    /// 0 when it was not the kernel that said no.
    public var errno: Int32
    public var path: String?
    /// One line for a person.
    public var message: String

    public init(stage: String, errno: Int32, path: String?, message: String) {
        self.stage = stage
        self.errno = errno
        self.path = path
        self.message = message
    }
}

/// What a daemon that comes back has to know.
public struct ShimState: Sendable, Hashable {
    public struct Exec: Sendable, Hashable {
        public var id: String
        public var pid: Int32
        /// nil while it runs.
        public var exit: ExitReport?

        public init(id: String, pid: Int32, exit: ExitReport?) {
            self.id = id
            self.pid = pid
            self.exit = exit
        }
    }

    public var id: String
    public var pid: Int32
    public var startedAt: Int64
    public var isPaused: Bool
    /// Whether the kernel killed something for want of memory so far.
    public var oomKilled: Bool
    /// nil while it runs.
    public var exit: ExitReport?
    public var execs: [Exec]
    /// What can be asked of the shim.
    public var dialect: ShimDialect

    public init(
        id: String, pid: Int32, startedAt: Int64, isPaused: Bool, oomKilled: Bool, exit: ExitReport?, execs: [Exec],
        dialect: ShimDialect = .current
    ) {
        self.id = id
        self.pid = pid
        self.startedAt = startedAt
        self.isPaused = isPaused
        self.oomKilled = oomKilled
        self.exit = exit
        self.execs = execs
        self.dialect = dialect
    }
}
