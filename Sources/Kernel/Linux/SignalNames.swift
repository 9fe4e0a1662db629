internal import CLinux

/// Signals by name, as a person writes them.
public enum Signals {
    private static let names: [(String, Int32)] = [
        ("HUP", SIGHUP), ("INT", SIGINT), ("QUIT", SIGQUIT), ("ILL", SIGILL), ("TRAP", SIGTRAP), ("ABRT", SIGABRT),
        ("IOT", SIGABRT), ("BUS", SIGBUS), ("FPE", SIGFPE), ("KILL", SIGKILL), ("USR1", SIGUSR1), ("SEGV", SIGSEGV),
        ("USR2", SIGUSR2), ("PIPE", SIGPIPE), ("ALRM", SIGALRM), ("TERM", SIGTERM), ("STKFLT", 16), ("CHLD", SIGCHLD),
        ("CLD", SIGCHLD), ("CONT", SIGCONT), ("STOP", SIGSTOP), ("TSTP", SIGTSTP), ("TTIN", SIGTTIN),
        ("TTOU", SIGTTOU), ("URG", SIGURG), ("XCPU", SIGXCPU), ("XFSZ", SIGXFSZ), ("VTALRM", SIGVTALRM),
        ("PROF", SIGPROF), ("WINCH", SIGWINCH), ("IO", SIGIO), ("POLL", SIGIO), ("PWR", 30), ("SYS", SIGSYS),
    ]

    /// What the C library calls a signal: "bad system call".
    ///
    /// C function: `strsignal`.
    public static func words(_ signal: Int32) -> String? {
        strsignal(signal).map { String(cString: $0).lowercased() }
    }

    /// The number of `TERM`, `SIGTERM`, `sigterm`, `15`, `RTMIN+3`; nil when there is no such signal.
    public static func number(_ text: String) -> Int32? {
        if let number = Int32(text) { return (1...64).contains(number) ? number : nil }
        var name = text.uppercased()
        if name.hasPrefix("SIG") { name.removeFirst(3) }
        if let known = names.first(where: { $0.0 == name }) { return known.1 }
        // The C library keeps the first two real-time signals for itself.
        for (prefix, base) in [("RTMIN", Int32(34)), ("RTMAX", Int32(64))] where name.hasPrefix(prefix) {
            let rest = name.dropFirst(prefix.count)
            guard let offset = rest.isEmpty ? 0 : Int32(rest) else { return nil }
            let number = base + offset
            return (34...64).contains(number) ? number : nil
        }
        return nil
    }
}
