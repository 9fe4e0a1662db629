/// One member of a tar stream: its name and its metadata, without its content.
///
/// Names are bytes, as the kernel has them: a layer may hold names in any encoding, and they must come out as they went in.
public struct TarEntry: Sendable, Hashable {
    /// What the entry makes.
    public enum Kind: Sendable, Hashable {
        case file, hardLink, symbolicLink, characterDevice, blockDevice, directory, fifo
    }

    /// A point in time as file systems keep it.
    public struct Time: Sendable, Hashable {
        /// Since the start of 1970 in UTC.
        public var seconds: Int64
        /// 0 ..< 1,000,000,000.
        public var nanoseconds: Int32

        public init(seconds: Int64, nanoseconds: Int32 = 0) {
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }
    }

    /// An extended attribute: a name with its namespace, and bytes.
    public struct Attribute: Sendable, Hashable {
        public var name: String
        public var value: [UInt8]

        public init(name: String, value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    public var kind: Kind
    /// As it stands in the stream, a directory's final slash removed.
    public var path: [UInt8]
    /// Permission bits with set-id and sticky, no file type.
    public var mode: UInt32
    public var uid: UInt32
    public var gid: UInt32
    /// Bytes of content that follow; 0 for anything but a file.
    public var size: Int64
    public var modified: Time
    /// Where a symbolic link points, or the path of the entry a hard link shares.
    public var linkTarget: [UInt8]
    public var deviceMajor: UInt32
    public var deviceMinor: UInt32
    public var attributes: [Attribute]

    public init(
        kind: Kind, path: [UInt8], mode: UInt32, uid: UInt32 = 0, gid: UInt32 = 0, size: Int64 = 0,
        modified: Time = Time(seconds: 0),
        linkTarget: [UInt8] = [], deviceMajor: UInt32 = 0, deviceMinor: UInt32 = 0, attributes: [Attribute] = []
    ) {
        self.kind = kind
        self.path = path
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.size = size
        self.modified = modified
        self.linkTarget = linkTarget
        self.deviceMajor = deviceMajor
        self.deviceMinor = deviceMinor
        self.attributes = attributes
    }

    /// An entry named by text.
    public init(
        _ kind: Kind, _ path: String, mode: UInt32, uid: UInt32 = 0, gid: UInt32 = 0, size: Int64 = 0,
        modified: Time = Time(seconds: 0),
        linkTarget: String = ""
    ) {
        self.init(
            kind: kind, path: Array(path.utf8), mode: mode, uid: uid, gid: gid, size: size, modified: modified,
            linkTarget: Array(linkTarget.utf8))
    }

    /// The path as text; bytes that are not UTF-8 are repaired, so this is for people and for names we know.
    public var name: String { String(decoding: path, as: UTF8.self) }
}
