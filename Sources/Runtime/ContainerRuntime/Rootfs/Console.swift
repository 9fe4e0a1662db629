internal import CLinux
internal import Linux

/// A container's terminal: a pseudo-terminal of its own devpts, and `/dev/console`.
enum Console {
    /// Makes the pair and puts the peer over `/dev/console`.
    ///
    /// The peer is opened from the master (`TIOCGPTPEER`) and mounted by descriptor, so that no name under `/dev/pts` that
    /// somebody swapped is ever used (CVE-2025-52565). The caller owns both numbers.
    static func make(in root: borrowing ContainerRoot, size: WindowSize?) throws(SystemError) -> (
        master: Int32, peer: Int32
    ) {
        let multiplexer = try root.open("/dev/pts/ptmx", O_RDWR | O_NOCTTY)
        guard try fileSystemType(of: multiplexer.raw) == Int(DEVPTS_SUPER_MAGIC) else {
            throw SystemError("open", errno: ENODEV, subject: "/dev/pts of the container is not a devpts")
        }
        let pair = try openPeer(of: multiplexer, size: size)
        let console = try root.file("/dev/console")
        try MountTree(cloning: pair.peer).attach(over: console.raw)
        return pair
    }

    /// Unlocks a master and opens its other side.
    ///
    /// The caller owns both numbers.
    static func openPeer(
        of master: consuming OwnedDescriptor, size: WindowSize?
    ) throws(SystemError) -> (master: Int32, peer: Int32) {
        var locked: Int32 = 0
        let raw = master.raw
        try check("ioctl(TIOCSPTLCK)") { skiff_ioctl(raw, skiff_TIOCSPTLCK, &locked) }
        if let size { try setWindowSize(raw, size) }
        let peer = try check("ioctl(TIOCGPTPEER)") {
            skiff_ioctl_number(raw, skiff_TIOCGPTPEER, Int(O_RDWR | O_NOCTTY | O_CLOEXEC))
        }
        return (master.release(), peer)
    }
}
