internal import CLinux

/// Paths as people type them.
enum HostPath {
    /// The path from the root, with `.` and `..` taken out.
    static func absolute(_ path: String) -> String {
        clean(path.hasPrefix("/") ? path : "\(workingDirectory)/\(path)")
    }

    /// An absolute path without `.`, `..` and doubled slashes.
    static func clean(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") {
            switch part {
            case ".": continue
            case "..": _ = parts.popLast()
            default: parts.append(part)
            }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// C function: `getcwd`.
    static var workingDirectory: String {
        guard let raw = getcwd(nil, 0) else { return "/" }
        defer { free(raw) }
        return String(cString: raw)
    }
}
