import Archive
import Failures
import Testing

@Suite("Compression")
struct CompressionTests {
    static func packed(_ bytes: [UInt8], _ compression: Compression) throws -> [UInt8] {
        let sink = BytesSink()
        let packer = try Compressor(compression, to: sink)
        try packer.write(bytes)
        try packer.finish()
        return sink.bytes
    }

    static func unpacked(_ bytes: [UInt8], limits: DecompressionLimits = .standard) throws -> [UInt8] {
        try Decompressor(BytesSource(bytes), limits: limits).readAll(limit: 64 << 20)
    }

    static let samples: [[UInt8]] = [
        [], [1], Array("hello hello hello hello".utf8), (0..<300_000).map { UInt8(truncatingIfNeeded: $0 * $0 >> 7) },
    ]

    @Test("what is packed comes back", arguments: Compression.allCases, samples)
    func comesBack(compression: Compression, sample: [UInt8]) throws {
        let packed = try Self.packed(sample, compression)
        #expect(try Self.unpacked(packed) == sample)
        if compression != .none { #expect(Compression(detecting: packed) == compression) }
    }

    @Test("several members or frames are one stream", arguments: [Compression.gzip, .zstd])
    func joins(compression: Compression) throws {
        let parts = try Self.samples.map { try Self.packed($0, compression) }
        #expect(try Self.unpacked(Array(parts.joined())) == Array(Self.samples.joined()))
    }

    @Test("the same bytes make the same stream", arguments: [Compression.gzip, .zstd])
    func isDeterministic(compression: Compression) throws {
        #expect(try Self.packed(Self.samples[3], compression) == Self.packed(Self.samples[3], compression))
    }

    @Test("zeros after the last gzip member are padding, anything else is an error")
    func allowsPadding() throws {
        let packed = try Self.packed([1, 2, 3], .gzip)
        #expect(try Self.unpacked(packed + [0, 0, 0]) == [1, 2, 3])
        #expect(throws: Failure(.invalid, "")) { try Self.unpacked(packed + [0, 7]) }
        #expect(throws: Failure(.invalid, "")) { try Self.unpacked(packed + Array("garbage".utf8)) }
    }

    @Test("a stream that is cut anywhere is an error", arguments: [Compression.gzip, .zstd])
    func refusesCut(compression: Compression) throws {
        let packed = try Self.packed(Array("a stream of some length, cut".utf8), compression)
        for length in 4..<packed.count {
            #expect(throws: Failure(.invalid, "")) { try Self.unpacked(Array(packed[..<length])) }
        }
    }

    @Test("a bomb ends at its limit", arguments: [Compression.gzip, .zstd])
    func endsBombs(compression: Compression) throws {
        let packed = try Self.packed([UInt8](repeating: 0, count: 8 << 20), compression)
        var small = DecompressionLimits()
        small.bytes = 1 << 20
        #expect(throws: Failure(.invalid, "")) { try Self.unpacked(packed, limits: small) }
        var steep = DecompressionLimits()
        steep.freeGrowth = 1 << 20
        steep.ratio = 100
        #expect(throws: Failure(.invalid, "")) { try Self.unpacked(packed, limits: steep) }
        #expect(try Self.unpacked(packed).count == 8 << 20)
    }

    @Test("a zstd window of gigabytes is refused instead of allocated")
    func refusesLargeWindow() throws {
        // Magic, a frame header with a window descriptor of exponent 31, an empty last raw block.
        let frame: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00]
        #expect(throws: Failure(.invalid, "")) { try Self.unpacked(frame) }
    }

    @Test("an error of the source is passed on as it is")
    func passesErrors() throws {
        #expect(throws: Failure(.unavailable, "")) {
            let source = ClosureSource { _ throws(Failure) in throw Failure(.unavailable, "registry gone") }
            _ = try Decompressor(source).readAll(limit: 10)
        }
    }
}
