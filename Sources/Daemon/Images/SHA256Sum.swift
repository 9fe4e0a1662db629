internal import Crypto

/// SHA-256 of bytes in memory and of streams.
struct SHA256Sum {
    private var state = SHA256()

    mutating func update(_ bytes: UnsafeRawBufferPointer) { state.update(bufferPointer: bytes) }

    /// The 32 bytes.
    consuming func finish() -> [UInt8] { Array(state.finalize()) }

    static func of(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }
}
