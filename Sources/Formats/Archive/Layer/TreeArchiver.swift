public import Failures

/// Writes a directory tree as members of a tar stream, in the order of names, read by descriptor only.
public struct TreeArchiver {
    /// What overlayfs's marks in the tree become.
    public enum Whiteouts: Sendable, Hashable {
        /// The tree is an upper directory: marks become `.wh.` members.
        case layer
        /// The tree is what a container sees.
        case none
    }

    public struct Options: Sendable {
        public var whiteouts: Whiteouts = .none
        /// Put in front of each name: `""`, or `"src/"`.
        public var prefix = ""
        /// Times with nanoseconds cost a pax header each; Docker's layers have whole seconds.
        public var keepsNanoseconds = false
        /// Whether the directory itself is a member.
        public var includesRoot = false
        /// Whether sockets, which tar cannot hold, are left out silently; otherwise they are left out too but counted.
        public init() {}
    }

    public init(_ writer: TarWriter, options: Options = Options()) {}

    /// Writes everything below the open directory.
    public func archive(_ directory: Int32) throws(Failure) {}

    /// Writes one thing, by its name in an open directory, and what is below it, as the name `renamed`.
    public func archive(_ name: String, in directory: Int32, as renamed: String) throws(Failure) {}
}
