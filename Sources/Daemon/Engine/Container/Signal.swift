internal import CLinux
internal import Failures

/// A signal as people write it: `KILL`, `SIGKILL`, `9`, `RTMIN+3`.
struct Signal: Sendable, Hashable {
    let number: Int32

    static let kill = Signal(number: SIGKILL)
    static let terminate = Signal(number: SIGTERM)

    init(number: Int32) { self.number = number }

    /// - Throws: `invalid` "invalid signal: X".
    init(parsing text: String) throws(Failure) {
        if let number = Int32(text) {
            // 0 only probes; the kernel knows signals up to 64.
            guard (1...64).contains(number) else { throw Failure(.invalid, "invalid signal: \(text)") }
            self.number = number
            return
        }
        let upper = text.uppercased()
        let name = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
        if let number = Self.numbers[name] {
            self.number = number
        } else if name.hasPrefix("RTMIN"), let number = Self.offset(name.dropFirst(5), from: 34), number <= 64 {
            self.number = number
        } else if name.hasPrefix("RTMAX"), let number = Self.offset(name.dropFirst(5), from: 64), number >= 34 {
            self.number = number
        } else {
            throw Failure(.invalid, "invalid signal: \(text)")
        }
    }

    /// Reads `+3` or `-3` after the name of a real-time signal; nothing is the signal itself.
    ///
    /// The C library keeps 32 and 33 to itself.
    private static func offset(_ text: Substring, from base: Int32) -> Int32? {
        if text.isEmpty { return base }
        guard text.utf8.count <= 3, text.first == "+" || text.first == "-", let offset = Int32(text) else { return nil }
        let number = base + offset
        return (34...64).contains(number) ? number : nil
    }

    private static let numbers: [String: Int32] = [
        "HUP": SIGHUP, "INT": SIGINT, "QUIT": SIGQUIT, "ILL": SIGILL, "TRAP": SIGTRAP, "ABRT": SIGABRT, "IOT": SIGABRT,
        "BUS": SIGBUS,
        "FPE": SIGFPE, "KILL": SIGKILL, "USR1": SIGUSR1, "SEGV": SIGSEGV, "USR2": SIGUSR2, "PIPE": SIGPIPE,
        "ALRM": SIGALRM,
        "TERM": SIGTERM, "STKFLT": 16, "CHLD": SIGCHLD, "CLD": SIGCHLD, "CONT": SIGCONT, "STOP": SIGSTOP,
        "TSTP": SIGTSTP,
        "TTIN": SIGTTIN, "TTOU": SIGTTOU, "URG": SIGURG, "XCPU": SIGXCPU, "XFSZ": SIGXFSZ, "VTALRM": SIGVTALRM,
        "PROF": SIGPROF,
        "WINCH": SIGWINCH, "IO": SIGIO, "POLL": SIGIO, "PWR": SIGPWR, "SYS": SIGSYS,
    ]
}
