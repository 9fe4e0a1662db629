internal import Archive
internal import Failures
internal import Linux

/// A context from standard input: a tar, packed or not, that goes on as it is, or a lone Dockerfile that becomes one.
struct StandardInputContext: Sendable {
    private let beginning: [UInt8]
    private let rest: FileStream
    let isArchive: Bool

    init(console: Console) throws(Failure) {
        do {
            var beginning: [UInt8] = []
            var block = [UInt8](repeating: 0, count: 512)
            while beginning.count < 512 {
                let count = try block.withUnsafeMutableBytes { try Linux.read(console.input, into: $0) }
                if count == 0 { break }
                beginning += block[..<count]
            }
            self.beginning = beginning
        } catch {
            throw Failure(.internal, "failed to read the context from STDIN: \(error)", cause: error)
        }
        rest = try FileStream(path: "-", console: console)
        isArchive = Self.looksLikeArchive(beginning)
    }

    /// By the first bytes of gzip, bzip2, xz and zstd, or the "ustar" of a tar header.
    static func looksLikeArchive(_ bytes: [UInt8]) -> Bool {
        let magics: [[UInt8]] = [[0x1F, 0x8B], [0x42, 0x5A, 0x68], [0xFD, 0x37, 0x7A], [0x28, 0xB5, 0x2F, 0xFD]]
        if magics.contains(where: { bytes.starts(with: $0) }) { return true }
        return bytes.count >= 262 && bytes[257..<262].elementsEqual("ustar".utf8)
    }

    @Sendable func send(_ part: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        if isArchive {
            try beginning.sent(to: part)
            return try rest.send(part)
        }
        var dockerfile = beginning
        try rest.send { bytes throws(Failure) in
            guard dockerfile.count + bytes.count <= 16 << 20 else {
                throw Failure(.invalid, "what comes from STDIN is neither an archive nor a Dockerfile")
            }
            dockerfile.append(contentsOf: bytes)
        }
        let sink = BytesSink()
        let writer = TarWriter(sink)
        try writer.add(TarEntry(.file, "Dockerfile", mode: 0o644, size: Int64(dockerfile.count)), content: dockerfile)
        try writer.finish()
        try sink.bytes.sent(to: part)
    }
}

extension [UInt8] {
    /// Lends the bytes to a closure and keeps the type of what it throws.
    fileprivate func sent(to part: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        let outcome: Result<Void, Failure> = withUnsafeBytes { bytes in
            do throws(Failure) { return .success(try part(bytes)) } catch { return .failure(error) }
        }
        try outcome.get()
    }
}
