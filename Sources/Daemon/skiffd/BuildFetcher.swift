internal import Builder
internal import Failures
internal import Images
internal import NIOCore

/// What an ADD of an address gets, by the client that speaks to registries.
struct BuildFetcher: RemoteFetcher {
    let registries: Registries

    func fetch(
        _ address: String, receive: @escaping @Sendable (ByteBuffer) async throws -> Void
    ) async throws(Failure) -> RemoteFile {
        RemoteFile(modified: try await registries.download(address, receive: receive))
    }
}
