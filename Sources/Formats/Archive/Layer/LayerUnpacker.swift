public import Failures

/// Makes the files of a tar stream below an open directory, and nowhere else.
public final class LayerUnpacker {
    /// What `.wh.` names in the stream mean.
    public enum Whiteouts: Sendable, Hashable {
        /// They are recorded as overlayfs has them: a character device 0:0, an opaque directory.
        case overlay
        /// They remove what is there.
        case remove
        /// They are names like others: `import`, `ADD`, `cp`.
        case ordinary
    }

    public struct Options: Sendable {
        public var whiteouts: Whiteouts = .overlay
        /// Owner of everything made, instead of the entries' own.
        public var owner: (uid: UInt32, gid: UInt32)?
        /// Owner of directories made only because a path goes through them; `nil` is 0:0.
        public var limits: ArchiveLimits = .standard
        /// Whether a directory may take a file's place and the other way round.
        public var replacesKinds = true
        public init() {}
    }

    /// What was made.
    public struct Summary: Sendable, Hashable {
        public var entries = 0
        /// Bytes of file content.
        public var contentBytes: Int64 = 0
    }

    /// - Parameter directory: an open directory; borrowed, and it must stay open.
    public init(into directory: Int32, options: Options = Options()) {}

    /// Reads the stream to its end and makes what it says. On failure part of it has been made: discard the directory.
    public func unpack(_ source: any ByteSource) throws(Failure) -> Summary { Summary() }
}
