internal import CLinux
public import Failures
internal import Linux

/// Who makes containers' cgroups: what dockerd calls `native.cgroupdriver`.
public enum CgroupDriver: String, Sendable {
    /// The shim, in the kernel's files.
    case cgroupfs
    /// systemd, a scope for each container.
    case systemd

    /// What a daemon takes that was told nothing: systemd where it is the init and cgroup v2 the only hierarchy, since
    /// there it is the one writer of the tree; as dockerd decides it.
    public static var ofThisHost: CgroupDriver {
        isSystemdTheInit && exists("/sys/fs/cgroup/cgroup.controllers") ? .systemd : .cgroupfs
    }

    /// sd_booted(3): a directory that systemd alone makes, early at boot.
    public static var isSystemdTheInit: Bool { (try? status("/run/systemd/system").isDirectory) ?? false }
}

/// A container's cgroup: who makes it, and where.
public struct SandboxCgroup: Sendable, Hashable {
    public var driver: CgroupDriver
    /// As the document's `cgroupsPath` has it: `/skiff/<id>` from each hierarchy's root, or `system.slice:skiff:<id>`.
    public var path: String

    public init(_ path: String, by driver: CgroupDriver = .cgroupfs) {
        self.driver = driver
        self.path = path
    }
}

/// Where a daemon's containers have their cgroups.
public struct CgroupPlacement: Sendable, Hashable {
    public let driver: CgroupDriver
    /// What holds them: a path from each hierarchy's root, or a slice.
    public let parent: String

    /// What comes before the id in the name of a scope.
    static let prefix = "skiff"

    /// - Parameters:
    ///   - parent: of containers that name none.
    /// - Throws: `invalid` when the driver cannot have such a parent.
    public init(_ driver: CgroupDriver, parent: String) throws(Failure) {
        self.driver = driver
        self.parent = try Self.checked(parent, driver)
    }

    /// A container's, or a build step's.
    ///
    /// - Parameter asked: the parent it is to have instead; empty for none.
    public func group(of id: String, below asked: String = "") throws(Failure) -> SandboxCgroup {
        let parent = asked.isEmpty ? parent : try Self.checked(asked, driver)
        switch driver {
        case .cgroupfs: return SandboxCgroup((parent == "/" ? "" : parent) + "/" + id)
        case .systemd: return SandboxCgroup("\(parent):\(Self.prefix):\(id)", by: .systemd)
        }
    }

    private static func checked(_ parent: String, _ driver: CgroupDriver) throws(Failure) -> String {
        switch driver {
        case .cgroupfs: return SandboxSpec.normalised(parent)
        case .systemd:
            guard isSlice(parent) else {
                throw Failure(
                    .invalid, "cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\"")
            }
            return parent
        }
    }

    /// systemd.slice(5): the name says where the slice lies, so that none of its steps may be empty.
    private static func isSlice(_ name: String) -> Bool {
        guard name.hasSuffix(".slice"), name.utf8.count <= 255 else { return false }
        if name == "-.slice" { return true }
        let steps = name.utf8.dropLast(6).split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        return steps.allSatisfy { !$0.isEmpty && $0.allSatisfy(nameBytes.contains) }
    }

    private static let nameBytes = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.\\@".utf8)
}
