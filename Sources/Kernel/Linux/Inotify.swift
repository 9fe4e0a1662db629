internal import CLinux

/// Watches files and directories for changes; readable when there is something to say.
public struct Inotify: ~Copyable, Sendable {
    /// Which changes are reported, and what happened.
    public struct Changes: OptionSet, Sendable, Hashable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }

        /// The file grew or was rewritten.
        ///
        /// C: `IN_MODIFY`.
        public static let modified = Changes(rawValue: 0x2)
        /// C: `IN_CLOSE_WRITE`.
        public static let closedAfterWriting = Changes(rawValue: 0x8)
        /// An entry left the directory.
        ///
        /// C: `IN_MOVED_FROM`.
        public static let movedFrom = Changes(rawValue: 0x40)
        /// An entry came to the directory.
        ///
        /// C: `IN_MOVED_TO`.
        public static let movedTo = Changes(rawValue: 0x80)
        /// C: `IN_CREATE`.
        public static let created = Changes(rawValue: 0x100)
        /// An entry of the directory was removed.
        ///
        /// C: `IN_DELETE`.
        public static let removed = Changes(rawValue: 0x200)
        /// The watched thing itself was removed.
        ///
        /// C: `IN_DELETE_SELF`.
        public static let removedSelf = Changes(rawValue: 0x400)
        /// The watched thing itself was renamed.
        ///
        /// C: `IN_MOVE_SELF`.
        public static let movedSelf = Changes(rawValue: 0x800)
        /// Events were lost: look at everything again.
        ///
        /// C: `IN_Q_OVERFLOW`.
        public static let overflow = Changes(rawValue: 0x4000)
        /// The watch is gone.
        ///
        /// C: `IN_IGNORED`.
        public static let ended = Changes(rawValue: 0x8000)
    }

    /// One change.
    public struct Event: Sendable, Hashable {
        /// The watch it belongs to, -1 for an overflow.
        public let watch: Int32
        public let changes: Changes
        /// The entry of the watched directory, empty for the watched thing itself.
        public let name: String
    }

    private let descriptor: OwnedDescriptor

    /// C function: `inotify_init1`.
    public init(nonBlocking: Bool = true) throws(SystemError) {
        let flags = Int32(IN_CLOEXEC) | (nonBlocking ? Int32(IN_NONBLOCK) : 0)
        descriptor = OwnedDescriptor(owning: try check("inotify_init1") { inotify_init1(flags) })
    }

    public var raw: Int32 { descriptor.raw }

    /// Watches a path of ours; a second watch of the same thing replaces the first.
    ///
    /// C function: `inotify_add_watch`.
    public func add(_ path: String, _ changes: Changes) throws(SystemError) -> Int32 {
        try check("inotify_add_watch", path) { inotify_add_watch(descriptor.raw, path, changes.rawValue) }
    }

    /// C function: `inotify_rm_watch`.
    public func remove(_ watch: Int32) throws(SystemError) {
        try check("inotify_rm_watch") { inotify_rm_watch(descriptor.raw, watch) }
    }

    /// What has happened since the last call, empty when nothing has (non-blocking), at most 4 KiB of events at once.
    public func events() throws(SystemError) -> [Event] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count: Int
        do {
            count = try check("read") {
                buffer.withUnsafeMutableBytes { CLinux.read(descriptor.raw, $0.baseAddress, $0.count) }
            }
        } catch {
            if error.errno == EAGAIN { return [] }
            throw error
        }
        let header = MemoryLayout<inotify_event>.size
        var events: [Event] = []
        buffer.withUnsafeBytes { bytes in
            var at = 0
            while at + header <= count {
                let watch = bytes.loadUnaligned(fromByteOffset: at, as: Int32.self)
                let mask = bytes.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self)
                let length = Int(bytes.loadUnaligned(fromByteOffset: at + 12, as: UInt32.self))
                let end = min(at + header + length, count)
                let name = bytes[(at + header)..<end].prefix { $0 != 0 }
                events.append(
                    Event(watch: watch, changes: Changes(rawValue: mask), name: String(decoding: name, as: UTF8.self)))
                at += header + length
            }
        }
        return events
    }
}
