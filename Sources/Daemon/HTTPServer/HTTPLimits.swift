public import NIOCore

/// How much one client may make us hold.
public struct HTTPLimits: Sendable {
    /// One header field, or the request line; build arguments travel in the latter.
    public var fieldBytes = 512 * 1024
    /// All header fields of a request.
    public var headBytes = 1024 * 1024
    public var fieldCount = 256
    /// From the first byte of a head to its last.
    public var headTimeout = TimeAmount.seconds(30)
    /// What is read and thrown away of a body nobody wanted, to keep the connection; more than this closes it.
    public var discardBytes = 256 * 1024
    /// How long a connection stays open after its answer for the client to have read it all.
    public var linger = TimeAmount.seconds(5)

    public init() {}
}
