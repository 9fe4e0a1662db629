internal import CLinux

/// Whether a descriptor is a terminal.
///
/// C function: `isatty`.
public func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

/// How a terminal treats what is typed; kept so that it can be put back.
public struct TerminalMode: Sendable {
    private let settings: termios

    /// The terminal's present mode.
    ///
    /// C function: `tcgetattr`.
    public init(of terminal: Int32) throws(SystemError) {
        var settings = termios()
        try check("tcgetattr") { tcgetattr(terminal, &settings) }
        self.settings = settings
    }

    private init(settings: termios) { self.settings = settings }

    /// Every key as its bytes, at once, nothing echoed and nothing interpreted, either way.
    ///
    /// C function: `cfmakeraw`.
    public var raw: TerminalMode {
        var changed = settings
        cfmakeraw(&changed)
        return TerminalMode(settings: changed)
    }

    /// The same for what is typed only: what is written still gets its carriage returns.
    ///
    /// C functions: `cfmakeraw`, and `OPOST` set again.
    public var rawInput: TerminalMode {
        var changed = raw.settings
        changed.c_oflag |= tcflag_t(OPOST)
        return TerminalMode(settings: changed)
    }

    /// Line ends are passed on as they are written, for whoever looks at the other side is no terminal, or one itself.
    ///
    /// C: `ONLCR` cleared.
    public var withoutCarriageReturns: TerminalMode {
        var changed = settings
        changed.c_oflag &= ~tcflag_t(ONLCR)
        return TerminalMode(settings: changed)
    }

    /// What is typed is not shown, for passwords.
    public var withoutEcho: TerminalMode {
        var changed = settings
        changed.c_lflag &= ~tcflag_t(ECHO)
        return TerminalMode(settings: changed)
    }

    /// Puts the terminal into this mode once what was written has gone out.
    ///
    /// C function: `tcsetattr(TCSADRAIN)`.
    public func apply(to terminal: Int32) throws(SystemError) {
        var settings = settings
        try check("tcsetattr") { tcsetattr(terminal, TCSADRAIN, &settings) }
    }
}
