internal import DockerfileSyntax

/// A path in a tree of files as bytes, relative to the tree's root, without `.`, `..`, empty parts or a slash at an end.
///
/// Empty is the root itself.
///
/// Names are bytes because the kernel's are. The order is that of a walk that meets a directory before what is in it and
/// all of that before the next name, so what lies below a path is one run.
struct TreePath: Hashable, Sendable {
    let bytes: [UInt8]

    static let root = TreePath(unchecked: [])

    private init(unchecked bytes: [UInt8]) { self.bytes = bytes }

    /// Any path, cleaned by its words alone; `..` at the root stays there.
    init(_ text: String) { self.init(Array(text.utf8)) }

    init(_ bytes: some Collection<UInt8>) {
        self = TreePath.root.appending(bytes)
    }

    /// A name as it stands in a tar; nearly all are clean as they are, and are kept without a copy.
    init(name bytes: [UInt8]) {
        self = Self.isClean(bytes) ? TreePath(unchecked: bytes) : TreePath(bytes)
    }

    /// Whether no part is empty, `.` or `..`.
    private static func isClean(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBufferPointer { bytes in
            var start = 0
            for at in 0...bytes.count where at == bytes.count || bytes[at] == ASCII.slash {
                let length = at - start
                if length == 0
                    || bytes[start] == ASCII.dot && (length == 1 || length == 2 && bytes[start + 1] == ASCII.dot)
                {
                    return false
                }
                start = at + 1
            }
            return true
        }
    }

    /// This path with another one, cleaned, at its end; a `..` may climb out of this one, not out of the root.
    func appending(_ other: some Collection<UInt8>) -> TreePath {
        var result = bytes
        for part in other.split(separator: ASCII.slash) {
            if part.elementsEqual([UInt8(ascii: ".")]) { continue }
            if part.elementsEqual([UInt8(ascii: "."), UInt8(ascii: ".")]) {
                let end = result.lastIndex(of: ASCII.slash) ?? 0
                result.removeSubrange(end...)
                continue
            }
            if !result.isEmpty { result.append(ASCII.slash) }
            result.append(contentsOf: part)
        }
        return TreePath(unchecked: result)
    }

    func appending(_ other: TreePath) -> TreePath {
        if bytes.isEmpty { return other }
        if other.bytes.isEmpty { return self }
        return TreePath(unchecked: bytes + [ASCII.slash] + other.bytes)
    }

    func appending(_ text: String) -> TreePath { appending(Array(text.utf8)) }

    /// Whether the written path would climb out of where it starts.
    static func leaves(_ bytes: [UInt8]) -> Bool {
        if isClean(bytes) { return false }
        var depth = 0
        for part in bytes.split(separator: ASCII.slash) where !part.elementsEqual([ASCII.dot]) {
            depth += part.elementsEqual([ASCII.dot, ASCII.dot]) ? -1 : 1
            if depth < 0 { return true }
        }
        return false
    }

    static func leaves(_ text: String) -> Bool { leaves(Array(text.utf8)) }

    var isRoot: Bool { bytes.isEmpty }
    /// As text; bytes that are not UTF-8 are repaired.
    var text: String { bytes.text }
    var parts: [ArraySlice<UInt8>] { bytes.split(separator: ASCII.slash) }
    /// The last part.
    var name: ArraySlice<UInt8> { bytes[(bytes.lastIndex(of: ASCII.slash).map { $0 + 1 } ?? 0)...] }
    /// The directory it is in; the root's is the root.
    var parent: TreePath { TreePath(unchecked: Array(bytes[..<(bytes.lastIndex(of: ASCII.slash) ?? 0)])) }

    /// Whether this is directly in the directory; nothing is in the root twice, so the root is in nothing.
    func isDirectly(in directory: TreePath) -> Bool {
        guard isBelow(directory) else { return false }
        let start = directory.bytes.isEmpty ? 0 : directory.bytes.count + 1
        return !bytes[start...].contains(ASCII.slash)
    }

    func isBelow(_ other: TreePath) -> Bool {
        other.bytes.isEmpty
            ? !bytes.isEmpty
            : bytes.count > other.bytes.count && bytes[other.bytes.count] == ASCII.slash
                && bytes.starts(with: other.bytes)
    }

    /// What is left of the path below `other`; the root when both are the same.
    func relative(to other: TreePath) -> TreePath {
        if other.bytes.isEmpty { return self }
        return TreePath(unchecked: Array(bytes.dropFirst(other.bytes.count + 1)))
    }
}

extension TreePath: Comparable {
    static func < (left: TreePath, right: TreePath) -> Bool {
        left.bytes.withUnsafeBufferPointer { left in
            right.bytes.withUnsafeBufferPointer { right in
                let count = min(left.count, right.count)
                var at = 0
                while at < count, left[at] == right[at] { at += 1 }
                guard at < count else { return left.count < right.count }
                // A slash ends a name, so it comes before every byte that goes on with it.
                if left[at] == ASCII.slash { return true }
                if right[at] == ASCII.slash { return false }
                return left[at] < right[at]
            }
        }
    }
}
