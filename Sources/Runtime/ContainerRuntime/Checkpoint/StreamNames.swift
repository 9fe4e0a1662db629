public import JSON
internal import Linux

/// What a container's standard streams were when it was dumped, so that a restore can put others in their place.
///
/// The file is runc's `descriptors.json` in the images' directory: three names as `/proc/<pid>/fd` shows them.
/// ```
/// ["/dev/null","pipe:[12235]","pipe:[12235]"]
/// ["file[2c:5]","file[2f:1c3]","file[2f:1c3]"]     files from outside the container: mount and inode, hexadecimal
/// ```
public struct StreamNames: Sendable, Equatable {
    public static let fileName = "descriptors.json"

    public var names: [String]

    public init(_ names: [String]) { self.names = names }

    /// This process's own, which a container gets that has no terminal.
    public static func own() -> StreamNames {
        StreamNames((0...2).map { (try? readLink("/proc/self/fd/\($0)")) ?? "" })
    }

    public init?(json: JSON) {
        guard let list = json.arrayValue else { return nil }
        names = list.map { $0.stringValue ?? "" }
    }

    public var json: JSON { JSON(names) }

    /// Whether the other side of a stream is outside the container.
    static func isInherited(_ name: String) -> Bool { name.hasPrefix("pipe:[") || name.hasPrefix("file[") }

    /// The streams by the names CRIU knows them by, where they come from outside the container.
    ///
    /// CRIU makes a new pipe for one whose other end it does not see; under the name it takes ours instead.
    func inherited() -> [CRIUOptions.InheritedDescriptor] {
        var seen: Set<String> = []
        return names.prefix(3).enumerated().compactMap { number, name in
            guard Self.isInherited(name), seen.insert(name).inserted else { return nil }
            return CRIUOptions.InheritedDescriptor(key: name, number: Int32(number))
        }
    }

    /// The names of files that CRIU is told of because it has no mount of the container to find them by.
    var externals: [String] {
        var seen: Set<String> = []
        return names.filter { $0.hasPrefix("file[") && seen.insert($0).inserted }
    }
}

/// One of a process's open files, as far as it tells whose it is.
struct OpenStream: Sendable {
    /// As `/proc/<pid>/fd` shows it.
    var name: String
    /// The mount it was opened through; `/proc/<pid>/fdinfo`.
    var mount: Int
    var inode: UInt64
    /// Whether the path leads to a file: pipes and sockets have a name of the kernel's.
    var isFile: Bool { name.hasPrefix("/") }

    /// The name under which it is restored: by mount and inode where the mount is none of the container's.
    func restoredName(in table: MountTable) -> String {
        guard isFile, !table.entries.contains(where: { $0.id == mount }) else { return name }
        return "file[\(String(mount, radix: 16)):\(String(inode, radix: 16))]"
    }
}
