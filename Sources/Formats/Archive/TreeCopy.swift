public import Failures

/// Copies a directory tree between two open directories with all that it has: owner, mode, times, attributes, hard links.
public struct TreeCopy {
    public struct Options: Sendable {
        /// Owner of everything copied, instead of the sources' own.
        public var owner: (uid: UInt32, gid: UInt32)?
        /// Permission bits of everything copied, links aside, instead of the sources' own.
        public var mode: UInt32?
        /// Asked for each path relative to the source; `false` leaves it and what is below out.
        public var includes: (@Sendable (_ path: String, _ isDirectory: Bool) -> Bool)?
        /// Whether the source's own metadata goes to the target directory too.
        public var copiesRoot = false
        public init() {}
    }

    public init(options: Options = Options()) {}

    /// Copies all that is below `source` into `target`; what is there already stays or is replaced by name.
    public func copy(from source: Int32, to target: Int32) throws(Failure) {}

    /// Copies one thing by its name in an open directory to a name in another.
    public func copy(_ name: String, in source: Int32, to renamed: String, in target: Int32) throws(Failure) {}
}
