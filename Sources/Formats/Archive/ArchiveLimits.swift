/// How much of everything a stream may ask for before it is refused.
///
/// Images come from strangers. Each limit turns an attack (endless headers, a bomb, a million names) into one error
/// that names the limit.
public struct ArchiveLimits: Sendable, Hashable {
    /// Entries of one stream.
    public var entries = 2_000_000
    /// Bytes of file content in one stream.
    public var contentBytes: Int64 = 256 << 30
    /// Bytes of the headers that describe one entry: pax records and long names.
    public var headerBytes = 1 << 20
    /// Bytes of a path, as the kernel has it (`PATH_MAX` with its final zero).
    public var pathBytes = 4095
    /// Directories above one another.
    public var depth = 255
    /// Bytes that must stay free on the file system that is written to.
    public var freeBytes: Int64 = 64 << 20

    public init() {}

    /// What holds for image layers, build contexts and everything else.
    public static let standard = ArchiveLimits()
}

/// How far a compressed stream may grow before it is refused as a bomb.
public struct DecompressionLimits: Sendable, Hashable {
    /// Bytes that come out.
    public var bytes: Int64 = 256 << 30
    /// Bytes that may come out for each that went in, once more than `freeGrowth` came out.
    ///
    /// Real layers stay below 50.
    public var ratio: Int64 = 500
    /// Bytes that may come out at any ratio.
    public var freeGrowth: Int64 = 1 << 30

    public init() {}

    /// What holds for image layers, build contexts and everything else.
    public static let standard = DecompressionLimits()
}
