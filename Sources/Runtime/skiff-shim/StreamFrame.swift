internal import ShimProtocol

/// The header Docker's clients expect before each piece of output of a process without a terminal.
enum StreamFrame {
    static let headerSize = 8

    /// Writes `[stream, 0, 0, 0, length big-endian]` into the first eight bytes.
    static func write(_ stream: LogStream, _ count: Int, into bytes: UnsafeMutableRawBufferPointer) {
        bytes.storeBytes(of: (stream == .stdout ? UInt32(0x0100_0000) : 0x0200_0000).bigEndian, as: UInt32.self)
        bytes.storeBytes(of: UInt32(truncatingIfNeeded: count).bigEndian, toByteOffset: 4, as: UInt32.self)
    }
}
