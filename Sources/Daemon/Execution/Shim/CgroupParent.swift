internal import CLinux
public import Failures
internal import Linux

/// The cgroup that holds those of a daemon's containers: made by the first of them, removed by a daemon that ends without any.
///
/// ```
/// <execRoot>/cgroup-parent    its path, where this daemon or an earlier one of the same boot is why it is there
/// ```
/// One that somebody else made, with limits perhaps, is left as it is.
public struct CgroupParent: Sendable {
    private let path: String
    private let note: String

    /// Nil where systemd has the groups: a slice is its own.
    public init?(of placement: CgroupPlacement, execRoot: String) {
        guard placement.driver == .cgroupfs else { return nil }
        path = placement.parent
        note = "\(execRoot)/cgroup-parent"
    }

    /// Notes whether the group will be ours: before the first container.
    ///
    /// Blocks.
    public func claim() throws(Failure) {
        if isOurs || Leftovers.groups(path).contains(where: { exists($0) }) { return }
        do { try replaceFile(note, Array(path.utf8), mode: 0o600) } catch {
            throw Failure(.internal, "cannot write \(note): \(error.reason)", cause: error)
        }
    }

    private var isOurs: Bool { (try? readText(note, limit: 4096)) == path }

    /// Removes the group where nothing is in it any more.
    ///
    /// Blocks.
    public func removeIfUnused() {
        guard isOurs else { return }
        for group in Leftovers.groups(path) { try? unlink(group, directory: true) }
        if !Leftovers.groups(path).contains(where: { exists($0) }) { try? unlink(note) }
    }
}
