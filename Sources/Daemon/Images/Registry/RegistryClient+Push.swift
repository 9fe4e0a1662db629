internal import AsyncHTTPClient
internal import Failures
internal import NIOCore
internal import NIOHTTP1
internal import OCI

/// Bringing content to a registry. (distribution-spec, "Push")
extension RegistryClient {
    /// How a blob got there.
    enum Delivery: Sendable, Hashable {
        case existed, uploaded
        case mounted(from: String)
    }

    private var pushing: [TokenSource.Scope] { [.push(repository)] }

    /// Whether the repository has the blob.
    func hasBlob(_ digest: Digest) async throws(Failure) -> Bool {
        let answer = try await send(.HEAD, "/blobs/\(digest)", scopes: pushing)
        switch answer.response.status {
        case .ok: return true
        case .notFound: return false
        default: throw try await pushFailure(answer)
        }
    }

    /// Takes the blob over from another repository of the same registry where it can, and uploads it otherwise.
    ///
    /// - Parameters:
    ///   - source: a repository that has the blob, nil where none is known.
    ///   - body: makes the blob's bytes; called once for each attempt.
    func deliver(
        _ blob: Descriptor, from source: String?, body: @Sendable () async throws(Failure) -> HTTPClientRequest.Body
    ) async throws(Failure) -> Delivery {
        var location: RegistryURL?
        if let source {
            let answer = try await send(
                .POST,
                "/blobs/uploads/?mount=\(RegistryURL.escape(blob.digest.description))&from=\(RegistryURL.escape(source))",
                headers: ["Content-Length": "0"], scopes: pushing + [.pull(source)])
            switch answer.response.status {
            case .created: return .mounted(from: source)
            case .accepted: location = try self.location(of: answer)
            // A registry that dislikes the source still takes an upload.
            default: break
            }
        }
        if location == nil {
            let answer = try await send(.POST, "/blobs/uploads/", headers: ["Content-Length": "0"], scopes: pushing)
            guard answer.response.status == .accepted else { throw try await pushFailure(answer) }
            location = try self.location(of: answer)
        }
        guard let target = location?.adding("digest", blob.digest.description) else {
            throw Failure(.invalid, "registry \(endpoint.origin.authority) names no place to upload to")
        }
        let answer = try await send(
            .PUT, to: target, headers: ["Content-Type": "application/octet-stream"], body: try await body(),
            scopes: pushing,
            upload: true)
        guard answer.response.status == .created || answer.response.status == .noContent else {
            throw try await pushFailure(answer)
        }
        return .uploaded
    }

    /// Puts a manifest under a tag or its digest.
    func putManifest(_ bytes: [UInt8], _ type: MediaType, as reference: String) async throws(Failure) {
        let digest = Digest(sha256: SHA256Sum.of(bytes))
        let answer = try await send(
            .PUT, "/manifests/\(reference)", headers: ["Content-Type": type.rawValue],
            body: .bytes(ByteBuffer(bytes: bytes)), scopes: pushing)
        guard answer.response.status == .created || answer.response.status == .ok else {
            throw try await pushFailure(answer)
        }
        if let stored = answer.response.headers.first(name: "Docker-Content-Digest"), stored != digest.description {
            throw Failure(
                .invalid,
                "registry \(endpoint.origin.authority) stored something else: \(stored.prefix(100)), not \(digest)")
        }
    }

    /// Where an upload goes on.
    ///
    /// Another host is allowed as it is for downloads, and gets no credentials.
    private func location(of answer: Answer) throws(Failure) -> RegistryURL {
        guard let location = answer.response.headers.first(name: "Location").flatMap({ answer.url.resolving($0) })
        else {
            throw Failure(.invalid, "registry \(endpoint.origin.authority) names no place to upload to")
        }
        // Registries behind a proxy that ends TLS name themselves with the scheme they see.
        if location.origin.host == endpoint.origin.host, location.origin.scheme == .http,
            endpoint.origin.scheme == .https
        {
            return RegistryURL(origin: endpoint.origin, path: location.path)
        }
        try allow(location, from: answer.url)
        return location
    }

    /// What a refusal means to who pushes, in Docker's words.
    private func pushFailure(_ answer: Answer) async throws(Failure) -> Failure {
        let asksForName = answer.asksForName
        let body = (try? await answer.response.bytes(limit: 65536, of: "an error", answer.url.origin)) ?? []
        let error = RegistryError(status: answer.response.status.code, body: body)
        if error.isDenied {
            let anonymous = credentials == nil && asksForName
            let words =
                anonymous
                ? "no basic auth credentials"
                : error.code.isEmpty ? "denied: requested access to the resource is denied" : error.words
            return Failure(error.status == 401 ? .unauthorized : .forbidden, words)
        }
        return Failure(
            error.isPassing ? .unavailable : .internal,
            "registry \(answer.url.origin.authority) refused \(familiarName): \(error.words)")
    }
}
