internal import CLinux

/// Rows and columns of a terminal.
public struct WindowSize: Sendable, Hashable {
    public var rows: UInt16
    public var columns: UInt16
    public init(rows: UInt16, columns: UInt16) {
        self.rows = rows
        self.columns = columns
    }
}

/// Tells the terminal, and by SIGWINCH the programs on it, its size.
///
/// C function: `ioctl(TIOCSWINSZ)`.
public func setWindowSize(_ terminal: Int32, _ size: WindowSize) throws(SystemError) {
    var value = winsize(ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0)
    try check("ioctl(TIOCSWINSZ)") { skiff_ioctl(terminal, UInt(TIOCSWINSZ), &value) }
}

/// The terminal's size.
///
/// C function: `ioctl(TIOCGWINSZ)`.
public func windowSize(_ terminal: Int32) throws(SystemError) -> WindowSize {
    var value = winsize()
    try check("ioctl(TIOCGWINSZ)") { skiff_ioctl(terminal, UInt(TIOCGWINSZ), &value) }
    return WindowSize(rows: value.ws_row, columns: value.ws_col)
}

/// A new pseudo-terminal of the devpts that `/dev/ptmx` of the calling process leads to.
///
/// The peer is opened from the master's descriptor, never by a path that another may have swapped (`TIOCGPTPEER`).
public struct PseudoTerminal: ~Copyable, Sendable {
    public let master: OwnedDescriptor
    public let peer: OwnedDescriptor

    /// - Parameter multiplexer: the `ptmx` to open. C functions: `open`, `ioctl(TIOCSPTLCK)`, `ioctl(TIOCGPTPEER)`.
    public init(multiplexer: String = "/dev/ptmx") throws(SystemError) {
        let master = try open(multiplexer, O_RDWR | O_NOCTTY)
        var locked: Int32 = 0
        try check("ioctl(TIOCSPTLCK)") { skiff_ioctl(master.raw, skiff_TIOCSPTLCK, &locked) }
        let peer = try check("ioctl(TIOCGPTPEER)") {
            skiff_ioctl_number(master.raw, skiff_TIOCGPTPEER, Int(O_RDWR | O_NOCTTY | O_CLOEXEC))
        }
        self.peer = OwnedDescriptor(owning: peer)
        self.master = master
    }
}

/// Adds or clears `O_NONBLOCK` of the open file, all its duplicates included; the other flags stay.
///
/// C function: `fcntl`.
public func setNonBlocking(_ raw: Int32, _ on: Bool = true) throws(SystemError) {
    let flags = try check("fcntl(F_GETFL)", "\(raw)") { skiff_fcntl(raw, F_GETFL, 0) }
    let wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK
    if wanted != flags { try check("fcntl(F_SETFL)", "\(raw)") { skiff_fcntl(raw, F_SETFL, Int(wanted)) } }
}
