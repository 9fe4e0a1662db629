import Archive
import CLinux
import Failures
import Linux
import Testing

/// Valid streams with a few bytes changed, thousands of times, always the same: a reader may refuse, never crash, hang or leave.
@Suite("Mutated archives")
struct MutationTests {
    static func sample() throws -> [UInt8] {
        let sink = BytesSink()
        let writer = TarWriter(sink)
        for entry in TarRoundTripTests.entries where entry.kind != .characterDevice && entry.kind != .blockDevice {
            try writer.add(entry, content: entry.kind == .file ? Array("content".utf8) : [])
        }
        try writer.add(TarEntry(.file, "dir/.wh.gone", mode: 0))
        try writer.add(TarEntry(.file, "dir/.wh..wh..opq", mode: 0))
        try writer.finish()
        return sink.bytes
    }

    static func mutated(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...8, using: &generator) {
            let at = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 2: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...512, using: &generator)))
            case 3: bytes.insert(contentsOf: [UInt8](repeating: 0xff, count: 12), at: at)
            default:
                // A field that counts, in a header: sizes and checksums are where readers break.
                let block = at / 512 * 512 + 124
                if block + 12 < bytes.count {
                    for index in block..<block + 12 { bytes[index] = UInt8.random(in: 0...255, using: &generator) }
                }
            }
            if bytes.isEmpty { return [0] }
        }
        return bytes
    }

    /// Sums up the header again, so that a mutation gets past the checksum.
    static func resealed(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        var at = 0
        while at + 512 <= bytes.count {
            if bytes[at + 257..<at + 262].elementsEqual("ustar".utf8) {
                for index in 148..<156 { bytes[at + index] = 0x20 }
                let sum = bytes[at..<at + 512].reduce(0) { $0 + Int($1) }
                let digits = String(sum, radix: 8)
                for (index, byte) in (String(repeating: "0", count: 6 - digits.count) + digits + "\0").utf8.enumerated()
                { bytes[at + 148 + index] = byte }
            }
            at += 512
        }
        return bytes
    }

    @Test("the tar reader survives", arguments: 1...4)
    func readerSurvives(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let sample = try Self.sample()
        for _ in 0..<400 {
            let bytes = Self.resealed(Self.mutated(sample, &generator))
            let reader = TarReader(BytesSource(bytes))
            var entries = 0
            do {
                while let entry = try reader.next() {
                    entries += 1
                    _ = try reader.readAll(limit: Int(clamping: entry.size))
                }
            } catch { #expect(error.kind == .invalid) }
            #expect(entries <= bytes.count / 512)
        }
    }

    @Test("the unpacker stays inside", arguments: 1...2)
    func unpackerStaysInside(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed &* 77)
        let sample = try Self.sample()
        let scratch = try Scratch()
        try scratch.write("canary", "alive")
        for round in 0..<60 {
            let root = try scratch.directory("root\(round)")
            var options = LayerUnpacker.Options()
            options.whiteouts = .remove
            options.owner = (getuid(), getgid())
            options.limits.contentBytes = 1 << 20
            _ = try? LayerUnpacker(into: root.raw, options: options).unpack(
                BytesSource(Self.resealed(Self.mutated(sample, &generator))))
        }
        #expect(scratch.text("canary") == "alive")
        let directory = try open(scratch.path, O_RDONLY | O_DIRECTORY)
        #expect(try readDirectory(directory.raw).count == 61)
    }

    @Test("the decompressors survive", arguments: [Compression.gzip, .zstd])
    func decompressorsSurvive(compression: Compression) throws {
        var generator = SeededGenerator(seed: 5)
        let sample = try CompressionTests.packed(try Self.sample(), compression)
        var limits = DecompressionLimits()
        limits.bytes = 4 << 20
        for _ in 0..<500 {
            let bytes = Self.mutated(sample, &generator)
            do { _ = try Decompressor(BytesSource(bytes), limits: limits).readAll(limit: 8 << 20) } catch {
                #expect(error.kind == .invalid)
            }
        }
    }
}
