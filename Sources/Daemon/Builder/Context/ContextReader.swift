internal import Archive
internal import CLinux
internal import Crypto
internal import DockerfileSyntax
internal import Failures
internal import Images
internal import Linux
internal import NIOCore

/// Receives a context: the tar is unpacked into names, hashes and one spool while it arrives.
struct ContextReader {
    /// A private directory of ours for files without names.
    let directory: String
    var limits = ArchiveLimits.standard

    /// Reads the stream to its end.
    ///
    /// - Throws: `invalid` for what is no tar, or one that asks for too much; what the sender's end broke off with.
    func receive<Body: AsyncSequence & Sendable>(_ body: Body) async throws -> BuildContext
    where Body.Element == ByteBuffer {
        let bridge = BlockingBody()
        let directory = self.directory
        let limits = self.limits
        return try await withTaskCancellationHandler {
            async let context = Self.onThread { () throws(Failure) -> BuildContext in
                do throws(Failure) { return try Self.read(bridge, into: directory, limits) } catch {
                    // Who feeds must not wait for a reader that has left.
                    bridge.cancel()
                    throw error
                }
            }
            await bridge.feed(body)
            return try await context
        } onCancel: {
            bridge.cancel()
        }
    }

    /// A context of nothing.
    func empty() throws -> BuildContext {
        BuildContext(tree: try FileTree([]), spool: SharedDescriptor(try Self.spool(in: directory)))
    }

    /// A thread for this alone: a slow sender must not hold one of the pool's.
    private static func onThread<Value: Sendable>(_ work: @escaping @Sendable () throws(Failure) -> Value) async throws
        -> Value
    {
        try await withCheckedThrowingContinuation { continuation in
            do {
                try startThread {
                    do { continuation.resume(returning: try work()) } catch { continuation.resume(throwing: error) }
                }
            } catch { continuation.resume(throwing: error) }
        }
    }

    private static func spool(in directory: String) throws(SystemError) -> OwnedDescriptor {
        let opened = try open(directory, O_RDONLY | O_DIRECTORY)
        return try openUnnamedFile(at: opened.raw)
    }

    private static func read(_ source: any ByteSource, into directory: String, _ limits: ArchiveLimits) throws(Failure)
        -> BuildContext
    {
        do {
            let spool = SharedDescriptor(try spool(in: directory))
            var index = ContextIndex(spool: spool)
            let reader = TarReader(try Decompressor(source), limits: limits)
            while let entry = try reader.next() { try index.add(entry, reader) }
            try reader.drain()
            return BuildContext(tree: try index.finish(), spool: spool)
        } catch let failure as Failure {
            throw Failure(failure.kind, "cannot read the build context: \(failure.message)", cause: failure)
        } catch let problem as SyntaxProblem {
            throw Failure(.invalid, "cannot read the build context: \(problem.message)")
        } catch {
            throw Failure(.internal, "cannot keep the build context: \(error)", cause: error)
        }
    }
}

/// The entries of a context as they come in.
private struct ContextIndex {
    private let spool: SharedDescriptor
    private var entries: [TreeEntry] = []
    private var byPath: [TreePath: Int] = [:]
    private var isIndexed = false
    private var buffer: [UInt8]
    private var filled = 0
    private var offset: Int64 = 0

    init(spool: SharedDescriptor) {
        self.spool = spool
        buffer = [UInt8](repeating: 0, count: 1 << 20)
    }

    mutating func add(_ entry: TarEntry, _ reader: TarReader) throws {
        guard !TreePath.leaves(entry.path) else { throw SyntaxProblem("\"\(entry.name)\" leaves the context") }
        var item = TreeEntry(path: TreePath(name: entry.path), kind: .file, mode: UInt16(entry.mode & 0o7777))
        // Whoever packed the context has no account in the image: its files are root's.
        item.seconds = entry.modified.seconds
        item.attributes = entry.attributes.filter { $0.name == "security.capability" || $0.name.hasPrefix("user.") }
            .map { TreeEntry.Attribute(name: $0.name, value: $0.value) }
        switch entry.kind {
        case .file:
            item.size = entry.size
            item.content = .spool(offset: offset)
            item.hash = try take(entry, reader)
        case .directory: item.kind = .directory
        case .symbolicLink:
            item.kind = .symlink
            item.target = entry.linkTarget
        case .hardLink: item = try linked(item, to: TreePath(entry.linkTarget))
        case .fifo: item.kind = .fifo
        case .characterDevice, .blockDevice:
            item.kind = entry.kind == .characterDevice ? .characterDevice : .blockDevice
            item.major = entry.deviceMajor
            item.minor = entry.deviceMinor
        }
        if isIndexed { byPath[item.path] = entries.count }
        entries.append(item)
    }

    /// A second name shares the first one's bytes.
    private mutating func linked(_ item: TreeEntry, to path: TreePath) throws -> TreeEntry {
        if !isIndexed {
            for (index, entry) in entries.enumerated() { byPath[entry.path] = index }
            isIndexed = true
        }
        guard let index = byPath[path], entries[index].kind != .directory else {
            throw SyntaxProblem(
                "\"\(item.path.text)\" is a hard link to \"\(path.text)\", which did not come before it")
        }
        var copy = entries[index]
        copy.path = item.path
        return copy
    }

    /// Content into the spool, and its hash.
    private mutating func take(_ entry: TarEntry, _ reader: TarReader) throws -> [UInt8] {
        var hash = SHA256()
        var left = entry.size
        while left > 0 {
            if filled == buffer.count { try flush() }
            let start = filled
            let count = try fill(reader, atMost: Int(min(left, Int64(buffer.count - filled))))
            guard count > 0 else { throw Failure(.invalid, "\"\(entry.name)\" ends too early") }
            buffer.withUnsafeBytes {
                hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[start..<start + count]))
            }
            filled += count
            left -= Int64(count)
            offset += Int64(count)
        }
        return Array(hash.finalize())
    }

    private mutating func fill(_ reader: TarReader, atMost limit: Int) throws(Failure) -> Int {
        let range = filled..<filled + limit
        let outcome: Result<Int, Failure> = buffer.withUnsafeMutableBytes { bytes in
            do throws(Failure) {
                return .success(try reader.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[range])))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    private mutating func flush() throws(SystemError) {
        let outcome: Result<Void, SystemError> = buffer.withUnsafeBytes { bytes in
            do throws(SystemError) {
                return .success(try writeAll(spool.raw, UnsafeRawBufferPointer(rebasing: bytes[..<filled])))
            } catch {
                return .failure(error)
            }
        }
        try outcome.get()
        filled = 0
    }

    mutating func finish() throws -> FileTree {
        try flush()
        return try FileTree(entries)
    }
}
