public import CLinux

/// A program to start, with every descriptor it will have named.
///
/// The only way the daemon starts a process: glibc's `posix_spawn` is written for multi-threaded parents (no Swift code
/// runs between clone and exec). Everything that is not in `descriptors` is closed, whoever opened it and with whatever
/// flags, so that no client connection leaks into a child; standard streams that are not named become `/dev/null`.
public struct Spawn: Sendable {
    /// The program's absolute path.
    public var path: String
    /// `argv`, the name included.
    public var arguments: [String]
    /// `envp`, each `NAME=value`.
    public var environment: [String]
    /// What the child sees under which number; the parent's numbers stay open in the parent.
    public var descriptors: [(parent: Int32, child: Int32)]
    /// Whether the child leads a session of its own, out of reach of the terminal's signals.
    ///
    /// C: `POSIX_SPAWN_SETSID`.
    public var newSession: Bool

    public init(
        _ path: String, arguments: [String], environment: [String] = [],
        descriptors: [(parent: Int32, child: Int32)] = [], newSession: Bool = true
    ) {
        self.path = path
        self.arguments = arguments
        self.environment = environment
        self.descriptors = descriptors
        self.newSession = newSession
    }

    /// Starts the program with all signals unblocked and at their defaults; the caller reaps it.
    ///
    /// C function: `posix_spawn`.
    public func start() throws(SystemError) -> pid_t {
        let last = max(2, descriptors.map(\.child).max() ?? 2)
        // The parent's numbers may be somebody's child number: lift them above all of those first.
        var lifted: [Int32] = []
        defer { for raw in lifted { _ = CLinux.close(raw) } }
        for entry in descriptors { lifted.append(try duplicate(entry.parent, atLeast: last + 1).release()) }

        var actions = posix_spawn_file_actions_t()
        try checkNumber("posix_spawn_file_actions_init", posix_spawn_file_actions_init(&actions))
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (entry, raw) in zip(descriptors, lifted) {
            try checkNumber(
                "posix_spawn_file_actions_adddup2", posix_spawn_file_actions_adddup2(&actions, raw, entry.child))
        }
        for number in Int32(0)...last where !descriptors.contains(where: { $0.child == number }) {
            try checkNumber(
                "posix_spawn_file_actions_addopen",
                posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDWR, 0))
        }
        try checkNumber(
            "posix_spawn_file_actions_addclosefrom_np", posix_spawn_file_actions_addclosefrom_np(&actions, last + 1))

        var attributes = posix_spawnattr_t()
        try checkNumber("posix_spawnattr_init", posix_spawnattr_init(&attributes))
        defer { posix_spawnattr_destroy(&attributes) }
        var flags = Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)
        if newSession { flags |= Int16(POSIX_SPAWN_SETSID) }
        try checkNumber("posix_spawnattr_setflags", posix_spawnattr_setflags(&attributes, flags))
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigdefault(&attributes, &all)

        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) }
        defer { for text in argv + envp { free(text) } }
        argv.append(nil)
        envp.append(nil)
        var pid: pid_t = -1
        let result = posix_spawn(&pid, path, &actions, &attributes, argv, envp)
        if result != 0 { throw SystemError("posix_spawn", errno: result, subject: path) }
        return pid
    }
}

/// Turns the error number that the `posix_spawn` family returns into an error.
private func checkNumber(_ call: StaticString, _ number: Int32) throws(SystemError) {
    if number != 0 { throw SystemError(call, errno: number) }
}
