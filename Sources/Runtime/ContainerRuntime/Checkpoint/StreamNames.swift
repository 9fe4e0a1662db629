internal import CLinux
public import JSON
internal import Linux

/// What a container's standard streams were at its start, so that a restore can put others in their place.
///
/// The form is runc's `descriptors.json` in the images' directory: three names as `/proc/<pid>/fd` shows them, files by mount and
/// inode in hexadecimal, as CRIU asks for those from outside the container.
/// ```
/// ["/dev/pts/0","/dev/pts/0","/dev/pts/0"]
/// ["file[1b:4]","pipe:[12235]","pipe:[12235]"]
/// ```
public struct StreamNames: Sendable, Equatable {
    public static let fileName = "descriptors.json"

    public var names: [String]

    public init(_ names: [String]) { self.names = names }

    /// This process's own, which a container gets that has no terminal.
    ///
    /// Taken then and not at the dump: a shell that redirects a command has another file there for a moment.
    public static func own() -> StreamNames {
        StreamNames(
            (Int32(0)...2).map { number in
                guard let name = try? readLink("/proc/self/fd/" + decimal(number)) else { return "" }
                // The kernel's own names, of pipes and sockets, are no paths.
                guard name.hasPrefix("/"), let status = try? Linux.status(of: number),
                    let text = try? readText("/proc/self/fdinfo/" + decimal(number), limit: 4096),
                    let mount = Self.mount(information: text)
                else { return name }
                return Self.file(mount: mount, inode: UInt64(status.st_ino))
            })
    }

    static func file(mount: Int, inode: UInt64) -> String {
        "file[\(hexadecimal(UInt64(bitPattern: Int64(mount)))):\(hexadecimal(inode))]"
    }

    /// The mount of an open file; `/proc/<pid>/fdinfo/<fd>`.
    static func mount(information: String) -> Int? {
        let line = information.split(separator: "\n").first { $0.hasPrefix("mnt_id:") }
        return line.flatMap { Int($0.dropFirst(7).drop { $0 == "\t" || $0 == " " }) }
    }

    /// Those that are outside a container: files on its own mounts come back without our doing.
    func outside(_ table: MountTable) -> StreamNames {
        StreamNames(
            names.map { name in
                guard name.hasPrefix("file["), let colon = name.firstIndex(of: ":"),
                    let mount = Int(name[..<colon].dropFirst(5), radix: 16)
                else { return name }
                return table.entries.contains { $0.id == mount } ? "" : name
            })
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
