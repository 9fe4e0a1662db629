/// The mounts of a process, as its `mountinfo` shows them; proc_pid_mountinfo(5).
struct MountTable: Sendable {
    struct Entry: Sendable, Equatable {
        var id: Int
        /// `major:minor` of the file system.
        var device: String
        /// What of the file system is mounted.
        var root: String
        var mountPoint: String
    }

    let entries: [Entry]

    init(_ text: String) {
        entries = text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ", maxSplits: 5)
            guard fields.count == 6, let id = Int(fields[0]) else { return nil }
            return Entry(
                id: id, device: String(fields[2]), root: Self.plain(fields[3]), mountPoint: Self.plain(fields[4]))
        }
    }

    /// The one seen at a place: the last of those mounted over each other.
    func at(_ mountPoint: String) -> Entry? { entries.last { $0.mountPoint == mountPoint } }

    /// Those below a place, each with its path from there on.
    func below(_ mountPoint: String) -> [(rest: String, entry: Entry)] {
        let prefix = mountPoint == "/" ? "/" : mountPoint + "/"
        return entries.filter { $0.mountPoint.hasPrefix(prefix) && $0.mountPoint != mountPoint }.map {
            ("/" + $0.mountPoint.dropFirst(prefix.count), $0)
        }
    }

    /// Spaces, tabs, line ends and backslashes are written as three octal digits.
    private static func plain(_ field: Substring) -> String {
        guard field.utf8.contains(UInt8(ascii: "\\")) else { return String(field) }
        var bytes: [UInt8] = [], rest = Array(field.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3,
                let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
            {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
