internal import CLinux
internal import ContainerRuntime
internal import Linux

/// `run [create's flags] [--detach] ID`: create, start, and wait unless detached; ends as the program did.
struct RunVerb {
    private let create: CreateVerb
    private let detach: Bool
    private let keep: Bool

    init(_ words: [String]) throws {
        let arguments = try Arguments(
            words, flags: CreateVerb.flags.union(["detach"]), options: CreateVerb.options,
            short: ["b": "bundle", "d": "detach", "f": "config"])
        create = try CreateVerb(arguments)
        detach = arguments.has("detach")
        keep = arguments.has("keep")
    }

    func run(_ context: RuntimeContext) throws {
        try becomeSubreaper()
        let (state, pid) = try create.create(context)
        try StartVerb.start(state, context)
        if detach { return }
        let end = try waitForwardingSignals(to: pid)
        if !keep { try DeleteVerb.remove(state, context) }
        exitNow(end.code)
    }
}

/// Waits for a child and hands it the signals this process gets meanwhile.
func waitForwardingSignals(to pid: pid_t) throws -> ProcessEnd {
    var all = sigset_t()
    sigfillset(&all)
    try check("sigprocmask") { sigprocmask(SIG_SETMASK, &all, nil) }
    while true {
        while let ended = try reapAnyChild() { if ended.pid == pid { return ended.end } }
        var information = siginfo_t()
        let number = sigwaitinfo(&all, &information)
        if number > 0, number != SIGCHLD { try? sendSignal(number, to: pid) }
    }
}
