internal import Archive
internal import CLinux
internal import DockerfileSyntax
internal import Failures
internal import Linux

/// A directory sent as the context of a build: a tar of everything that `.dockerignore` does not keep back, in the order
/// of names so that equal trees are equal bytes.
struct BuildContext: Sendable {
    private let root: SharedDescriptor
    private let path: String
    private let ignored: Dockerignore
    /// The Dockerfile within the context.
    let dockerfile: String
    /// A Dockerfile from elsewhere, put into the tar under ``dockerfile``.
    private let foreign: [UInt8]?

    /// - Parameter file: `-f`: a path, "-" for standard input, nil for "Dockerfile" in the context.
    init(directory: String, file: String?, standardInput: () throws(Failure) -> [UInt8]) throws(Failure) {
        path = HostPath.absolute(directory)
        do { root = SharedDescriptor(try Linux.open(path, O_RDONLY | O_DIRECTORY)) } catch {
            if error.errno == ENOENT {
                throw Failure(.invalid, "unable to prepare context: path \"\(directory)\" not found", cause: error)
            }
            throw Failure(.invalid, "unable to prepare context: \(directory): \(error.reason)", cause: error)
        }
        (dockerfile, foreign) = try Self.locate(file, in: path, standardInput)
        ignored = try Self.patterns(in: root.raw, for: dockerfile)
    }

    private static func locate(
        _ file: String?, in directory: String, _ standardInput: () throws(Failure) -> [UInt8]
    ) throws(Failure) -> (String, [UInt8]?) {
        if file == "-" { return (".dockerfile.stdin", try standardInput()) }
        guard let file else {
            if !exists("\(directory)/Dockerfile"), exists("\(directory)/dockerfile") { return ("dockerfile", nil) }
            guard exists("\(directory)/Dockerfile") else {
                throw Failure(
                    .invalid,
                    "unable to evaluate symlinks in Dockerfile path: "
                        + "open \(directory)/Dockerfile: no such file or directory")
            }
            return ("Dockerfile", nil)
        }
        let whole = HostPath.absolute(file)
        if whole.hasPrefix(directory == "/" ? "/" : directory + "/") {
            guard exists(whole) else {
                throw Failure(.invalid, "unable to prepare context: open \(whole): no such file or directory")
            }
            return (String(whole.dropFirst(directory == "/" ? 1 : directory.count + 1)), nil)
        }
        do { return (".dockerfile.outside", try readFile(whole)) } catch {
            throw Failure(.invalid, "unable to prepare context: open \(whole): \(error.reason)", cause: error)
        }
    }

    /// `<Dockerfile>.dockerignore` if there is one, else `.dockerignore`.
    private static func patterns(in root: Int32, for dockerfile: String) throws(Failure) -> Dockerignore {
        for name in ["\(dockerfile).dockerignore", ".dockerignore"] {
            do {
                let file = try Linux.open(in: root, name, O_RDONLY)
                return try Dockerignore(try readAll(file.raw, limit: Dockerignore.limit))
            } catch let problem as SyntaxProblem {
                throw Failure(.invalid, "error checking context: \(name): \(problem.message)", cause: problem)
            } catch let error as SystemError {
                if error.errno == ENOENT { continue }
                throw Failure(.invalid, "cannot read \(name): \(error.reason)", cause: error)
            } catch {
                throw Failure.wrapping(error, "read \(name)")
            }
        }
        return .nothing
    }

    // MARK: Sending

    @Sendable func send(_ part: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        try withoutActuallyEscaping(part) { part throws(Failure) in
            let sink = BufferedSink(part)
            let writer = TarWriter(sink)
            if let foreign {
                try writer.add(TarEntry(.file, dockerfile, mode: 0o644, size: Int64(foreign.count)), content: foreign)
            }
            try send(root.raw, below: "", writer)
            try writer.finish()
            try sink.finish()
        }
    }

    private func send(_ directory: Int32, below prefix: String, _ writer: TarWriter) throws(Failure) {
        let entries: [DirectoryEntry]
        do { entries = try readDirectory(directory).sorted { $0.name < $1.name } } catch {
            throw unreadable(prefix, error)
        }
        for entry in entries {
            let path = prefix.isEmpty ? entry.name.text : "\(prefix)/\(entry.name.text)"
            let excluded = ignored.excludes(path) && !isNeeded(path)
            // Below a directory that stays behind there may still be exceptions.
            if excluded, !(ignored.hasExceptions && entry.mayBeDirectory) { continue }
            do { try send(entry, in: directory, as: path, excluded: excluded, writer) } catch let error as SystemError {
                throw unreadable(path, error)
            } catch {
                throw Failure.wrapping(error, "send \(path)")
            }
        }
    }

    /// What the engine reads before anything else goes along even when it is ignored.
    private func isNeeded(_ path: String) -> Bool { path == dockerfile || path == ".dockerignore" }

    private func unreadable(_ path: String, _ error: SystemError) -> Failure {
        Failure(.invalid, "error checking context: can't stat '\(path)': \(error.reason)", cause: error)
    }

    private func send(
        _ entry: DirectoryEntry, in directory: Int32, as path: String, excluded: Bool, _ writer: TarWriter
    ) throws {
        var information = try entry.name.withCString { name throws(SystemError) in
            var information = stat()
            try check("stat") { fstatat(directory, name, &information, AT_SYMLINK_NOFOLLOW) }
            return information
        }
        if excluded, !information.isDirectory { return }
        var header = TarEntry(kind: .file, path: Array(path.utf8), mode: UInt32(information.permissions))
        header.modified = TarEntry.Time(seconds: Int64(information.st_mtim.tv_sec))
        switch information.kind {
        case mode_t(S_IFDIR):
            header.kind = .directory
            if !excluded { try writer.add(header) }
            let opened = try entry.name.withCString { name throws(SystemError) in
                try openEntry(name, O_RDONLY | O_DIRECTORY, at: directory).release()
            }
            let child = OwnedDescriptor(owning: opened)
            try send(child.raw, below: path, writer)
        case mode_t(S_IFLNK):
            header.kind = .symbolicLink
            header.linkTarget = Array(try readLink(entry.name.text, at: directory).utf8)
            try writer.add(header)
        case mode_t(S_IFREG):
            let opened = try entry.name.withCString { name throws(SystemError) in
                try openEntry(name, O_RDONLY, at: directory).release()
            }
            let file = OwnedDescriptor(owning: opened)
            information = try status(of: file.raw)
            header.size = Int64(information.st_size)
            try writer.begin(header)
            try copy(file.raw, Int64(information.st_size), writer)
        case mode_t(S_IFIFO):
            header.kind = .fifo
            try writer.add(header)
        default: break  // Sockets and devices are nothing a build can be given.
        }
    }

    /// As many bytes as the header says; a file that shrinks meanwhile is refused by the writer.
    private func copy(_ file: Int32, _ size: Int64, _ writer: TarWriter) throws {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 16)
        defer { block.deallocate() }
        var rest = size
        while rest > 0 {
            let window = UnsafeMutableRawBufferPointer(rebasing: block[..<Int(min(rest, Int64(block.count)))])
            let count = try Linux.read(file, into: window)
            if count == 0 { return }
            try writer.write(UnsafeRawBufferPointer(rebasing: window[..<count]))
            rest -= Int64(count)
        }
    }
}

/// Gathers small pieces into parts worth a chunk.
private final class BufferedSink: ByteSink {
    private let send: (UnsafeRawBufferPointer) throws(Failure) -> Void
    private var pending: [UInt8] = []
    private static let size = 64 << 10

    init(_ send: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void) {
        self.send = send
        pending.reserveCapacity(Self.size * 2)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        if bytes.count >= Self.size {
            try flush()
            return try send(bytes)
        }
        pending.append(contentsOf: bytes)
        if pending.count >= Self.size { try flush() }
    }

    func finish() throws(Failure) { try flush() }

    private func flush() throws(Failure) {
        guard !pending.isEmpty else { return }
        let outcome: Result<Void, Failure> = pending.withUnsafeBytes { bytes in
            do throws(Failure) { return .success(try send(bytes)) } catch { return .failure(error) }
        }
        try outcome.get()
        pending.removeAll(keepingCapacity: true)
    }
}
