import CLinux
import Linux

/// A directory that goes when the test does.
final class Scratch: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/skiff-archive-XXXXXX".utf8CString)
        try check("mkdtemp") { mkdtemp(&template) == nil ? -1 : 0 }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? removeTree(path) }

    func directory(_ name: String) throws -> OwnedDescriptor {
        try makeDirectories("\(path)/\(name)")
        return try open("\(path)/\(name)", O_RDONLY | O_DIRECTORY)
    }

    func write(_ name: String, _ text: String, mode: mode_t = 0o644) throws {
        try writeFile("\(path)/\(name)", Array(text.utf8), mode: mode)
        try check("chmod") { chmod("\(path)/\(name)", mode) }
    }

    func text(_ name: String) -> String? { try? readText("\(path)/\(name)") }

    func status(_ name: String) -> stat? { try? Linux.status("\(path)/\(name)") }
}

/// Everything below a directory, one line each: kind, mode, owner, size or target, time, content.
///
/// Equal trees have equal lines.
func listing(_ path: String, nanoseconds: Bool = true) throws -> [String] {
    var lines: [String] = []
    var firstNames: [UInt64: String] = [:]
    func walk(_ directory: String, _ prefix: String) throws {
        let opened = try open(directory, O_RDONLY | O_DIRECTORY)
        for entry in try readDirectory(opened.raw).sorted(by: { $0.name < $1.name }) {
            let full = "\(directory)/\(entry.name.text)"
            let name = prefix + entry.name.text
            let status = try Linux.status(full)
            let kind = String(status.kind, radix: 8)
            var line = "\(name) \(kind) \(String(status.permissions, radix: 8)) \(status.st_uid):\(status.st_gid)"
            // The time of a whiteout is that of its making: no archive has one to give.
            let isWhiteout = status.kind == S_IFCHR && status.st_rdev == 0
            if !isWhiteout { line += " \(status.st_mtim.tv_sec)" + (nanoseconds ? ".\(status.st_mtim.tv_nsec)" : "") }
            if status.isSymlink { line += " -> \(try readLink(full))" }
            if status.kind == S_IFCHR || status.kind == S_IFBLK { line += " \(status.st_rdev)" }
            if status.isRegular {
                let bytes = try readFile(full)
                line +=
                    " \(bytes.count) \(bytes.reduce(into: UInt64(14695981039346656037)) { $0 = ($0 ^ UInt64($1)) &* 1099511628211 })"
                if status.st_nlink > 1 { line += " = \(firstNames[UInt64(status.st_ino), default: name])" }
                if firstNames[UInt64(status.st_ino)] == nil { firstNames[UInt64(status.st_ino)] = name }
            }
            if !status.isSymlink {
                for attribute in try attributeNames(path: full).sorted()
                where attribute.hasPrefix("user.") || attribute.hasPrefix("security.") {
                    line += " \(attribute)=\(try Linux.attribute(attribute, path: full) ?? [])"
                }
            }
            lines.append(line)
            if status.isDirectory { try walk(full, name + "/") }
        }
    }
    try walk(path, "")
    return lines
}

/// Runs a program that serves as the other side of a test, quietly, and says how it ended; `nil` when it is not installed.
func runPeer(_ arguments: [String]) -> Int32? {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    var strings: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    var environment: [UnsafeMutablePointer<CChar>?] = [strdup("PATH=/usr/bin:/bin"), strdup("LC_ALL=C.UTF-8"), nil]
    defer { for string in environment { free(string) } }
    defer { for string in strings { free(string) } }
    var pid: pid_t = 0
    guard posix_spawnp(&pid, arguments[0], &actions, nil, &strings, &environment) == 0 else { return nil }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && skiff_errno() == EINTR {}
    return status
}

/// Numbers that are the same in each run, so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        // SplitMix64.
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
