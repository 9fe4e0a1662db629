internal import CLinux
internal import Linux

/// A process that stands in a new scope until the container's own is there: systemd makes none that is empty, and removes
/// one that has become so.
///
/// It is a copy of this process, which has one thread, does nothing, and ends with this value or with this process.
final class Placeholder: Sendable {
    let pid: pid_t
    private let line: OwnedDescriptor

    init() throws(SystemError) {
        let ends = try SocketPair(.stream).release()
        line = OwnedDescriptor(owning: ends.first)
        let theirs = OwnedDescriptor(owning: ends.second)
        pid = try splitProcess()
        if pid == 0 { Self.wait(theirs.raw) }
    }

    /// In the copy: until the line ends.
    private static func wait(_ line: Int32) -> Never {
        // A process that enters the container with the host's process numbers must not reach this program's memory.
        try? becomeUndumpable()
        // A supervisor blocks its signals; this one ends when systemd asks it to.
        try? resetSignals()
        try? closeDescriptors(except: line)
        var byte: UInt8 = 0
        _ = try? withUnsafeMutableBytes(of: &byte) { try read(line, into: $0) }
        exitNow(0)
    }

    deinit { end() }

    /// Ends it, and waits until it has; once more does nothing.
    func end() {
        // The container's process holds a copy of the line: closing ours alone would not end it.
        shutDown(line.raw, reading: true, writing: true)
        _ = try? PidFD(pid).wait()
    }
}
