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
