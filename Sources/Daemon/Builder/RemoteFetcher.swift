public import Failures
public import NIOCore

/// Gets a file from an `http` or `https` address, for ADD.
public protocol RemoteFetcher: Sendable {
    /// - Parameter receive: called with each piece in order; a piece is taken before the next comes.
    /// - Throws: `invalid` for an address that is none, `notFound` or `unavailable` for an answer that is not the file.
    func fetch(
        _ address: String, receive: @escaping @Sendable (ByteBuffer) async throws -> Void
    ) async throws(Failure) -> RemoteFile
}

/// What is known of a fetched file besides its bytes.
public struct RemoteFile: Sendable, Hashable {
    /// `Last-Modified` in seconds since 1970.
    public var modified: Int64?

    public init(modified: Int64?) { self.modified = modified }
}
