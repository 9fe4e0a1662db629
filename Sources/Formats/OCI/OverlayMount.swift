/// The directories one overlay mount is made of, as names below `base`.
///
/// The names are short and relative because `mount(2)` takes the whole list in one page: whoever mounts changes into
/// `base` first. Nothing in here says where the mount goes; that is decided by whoever makes it, inside its own mount
/// namespace. See the kernel's Documentation/filesystems/overlayfs.rst.
public struct OverlayMount: Sendable, Hashable, Codable {
    /// The absolute directory the other names start at.
    public var base: String
    /// The read-only directories, the top one first.
    public var lower: [String]
    /// The directory that takes the changes; without it the mount is read-only.
    public var upper: String?
    /// The kernel's scratch directory on the same file system as `upper`, present exactly when that is.
    public var work: String?

    public init(base: String, lower: [String], upper: String? = nil, work: String? = nil) {
        self.base = base
        self.lower = lower
        self.upper = upper
        self.work = work
    }

    /// Whether the mount can be written to.
    public var isWritable: Bool { upper != nil }
}
