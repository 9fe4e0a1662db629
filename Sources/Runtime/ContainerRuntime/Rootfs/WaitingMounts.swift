internal import OCI

/// Those of a container's mounts that wait for what the parent still makes, the network namespace and the groups they show,
/// while others are made.
///
/// The document's order is what a container gets (config.md, "Mounts"): a mount goes ahead of those that wait only where neither
/// is anywhere near the other, by its name and with no link on the way, and every other one makes all of them be waited for.
struct WaitingMounts {
    enum Turn {
        case waits
        case now
        /// Once those that wait are made.
        case behindThem
    }

    private let mounts: [PlannedMount]
    private let network: Bool
    private let groups: Bool
    /// Where the root file system lies on the host: a bind of something in it shows what is mounted there.
    private let place: String
    /// Of this type, which is there for descriptors anyway: one more kind of list would be made at run time.
    private var numbers: [Int32] = []
    /// Whether there is nothing to wait for any more.
    private(set) var isOver: Bool

    /// - Parameters:
    ///   - network: whether the network namespace is still to come, which sysfs shows.
    ///   - groups: whether the groups are.
    init(_ mounts: [PlannedMount], network: Bool, groups: Bool, rootfs: RootfsSource) {
        self.mounts = mounts
        self.network = network
        self.groups = groups
        place = if case .directory(let path) = rootfs { path } else { "/" }
        isOver = !network && !groups
    }

    /// When one of the list, each asked for in its order, is made.
    ///
    /// - Parameters:
    ///   - isPlain: whether no link is on the way to a place in the container.
    ///   - isPlainSource: the same on the host.
    mutating func turn(
        of number: Int, isPlain: (String) -> Bool, isPlainSource: (String) -> Bool
    ) -> Turn {
        if isOver { return .now }
        let mount = mounts[number]
        let isNear = isNear(mount.destination)
        if mount.kind == .cgroup ? groups : mount.showsNetwork && (network || isNear) {
            guard isNear || isPlain(mount.destination) else { return .behindThem }
            numbers.append(Int32(number))
            return .waits
        }
        // What is copied is counted by the groups, and who maps owners expects another answer of the parent's than theirs.
        if isNear || mount.copiesUp && groups || mount.ownerMapping != nil { return .behindThem }
        if network, !mount.ignoresNetwork { return .behindThem }
        if case .bind(let source, _) = mount.kind {
            // A link may lead into procfs, or to what the container's own files are known by.
            if network || !numbers.isEmpty, !isPlainSource(source) { return .behindThem }
            if !numbers.isEmpty, Self.areNear(source, place) || !isPlainSource(place) { return .behindThem }
        }
        if numbers.isEmpty { return .now }
        return isPlain(mount.destination) ? .now : .behindThem
    }

    /// Whether device nodes can be made ahead of those that wait.
    func allowsDevices(_ devices: [RuntimeSpec.Device], isPlain: (String) -> Bool) -> Bool {
        numbers.isEmpty
            || devices.allSatisfy { $0.path.parentAndName.parent == "/dev/" } && !isNear("/dev") && isPlain("/dev")
    }

    /// What was waited for is there.
    ///
    /// - Returns: the mounts that can be made now, by their places in the list.
    mutating func end() -> [Int32] {
        isOver = true
        return numbers
    }

    private func isNear(_ path: String) -> Bool {
        numbers.contains { Self.areNear(mounts[Int($0)].destination, path) }
    }

    /// Whether one path is the other, or below it, as far as names tell.
    static func areNear(_ first: String, _ second: String) -> Bool {
        let first = plainName(first), second = plainName(second)
        let (above, below) = first.utf8.count < second.utf8.count ? (first, second) : (second, first)
        guard below.utf8.starts(with: above.utf8) else { return false }
        return above == "/" || below.utf8.dropFirst(above.utf8.count).first ?? slash == slash
    }

    private static let slash = UInt8(ascii: "/")

    /// The path in its shortest form; most are in that already.
    private static func plainName(_ path: String) -> String {
        var before = slash, isShort = path.utf8.first == slash
        for (index, byte) in path.utf8.enumerated() where index > 0 {
            if before == slash, byte == slash || byte == UInt8(ascii: ".") { isShort = false }
            before = byte
        }
        return isShort && (before != slash || path.utf8.count == 1) ? path : path.cleanPath
    }
}
