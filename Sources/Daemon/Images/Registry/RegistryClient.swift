internal import AsyncHTTPClient
internal import Failures
internal import JSON
internal import NIOCore
internal import NIOHTTP1
internal import OCI

/// One repository at one endpoint, spoken to on behalf of one user. (distribution-spec, "Pull")
struct RegistryClient: Sendable {
    let endpoint: RegistryEndpoint
    /// The path part of the name: `library/alpine`.
    let repository: String
    /// What a reference looks like to the user, for messages.
    let familiarName: String
    let credentials: Credentials?
    let transport: RegistryTransport
    let tokens: TokenSource

    /// An answer and where it finally came from.
    struct Answer {
        var response: HTTPClientResponse
        var url: RegistryURL
    }

    private static let maximumRedirects = 5
    private static let maximumTags = 10_000

    /// A document with the bytes it is hashed by.
    struct Document: Sendable {
        var bytes: [UInt8]
        var digest: Digest
        var mediaType: MediaType
        var content: ManifestDocument
    }

    /// The manifest or index a tag or digest stands for, checked against every digest that was named.
    func manifest(_ reference: String) async throws(Failure) -> Document {
        let answer = try await send(
            .GET, "/manifests/\(reference)", headers: manifestHeaders, scopes: [.pull(repository)])
        let response = answer.response
        guard response.status == .ok else { throw try await failure(of: answer, manifest: reference) }
        let bytes = try await response.bytes(
            limit: ManifestDocument.maximumBytes, of: "a manifest", answer.url.origin)
        let digest = Digest(sha256: SHA256Sum.of(bytes))
        let named = [reference, response.headers.first(name: "Docker-Content-Digest")].compactMap { $0 }
            .compactMap { try? Digest(parsing: $0) }
        for name in named where name.algorithm == "sha256" && name != digest {
            throw Failure(
                .invalid,
                "registry \(answer.url.origin.authority) sent a manifest that is not \(name): its digest is \(digest)")
        }
        let type = RegistryClient.mediaType(response.headers)
        let content = try ManifestDocument(parsing: bytes, contentType: type)
        return Document(bytes: bytes, digest: digest, mediaType: content.mediaType, content: content)
    }

    /// The digest a tag stands for now, nil when the registry does not say.
    func digest(of reference: String) async throws(Failure) -> Digest? {
        let answer = try await send(
            .HEAD, "/manifests/\(reference)", headers: manifestHeaders, scopes: [.pull(repository)])
        guard answer.response.status == .ok else { return nil }
        return answer.response.headers.first(name: "Docker-Content-Digest").flatMap { try? Digest(parsing: $0) }
    }

    /// The repository's tags, page by page. (distribution-spec, "Listing Tags")
    func tags() async throws(Failure) -> [String] {
        var tags: [String] = []
        var next: RegistryURL? = endpoint.url("/v2/\(repository)/tags/list")
        while let url = next {
            let answer = try await send(.GET, to: url, scopes: [.pull(repository)])
            guard answer.response.status == .ok else { throw try await failure(of: answer, manifest: nil) }
            let bytes = try await answer.response.bytes(limit: 4 << 20, of: "a list of tags", answer.url.origin)
            let page = (try? JSON.parse(bytes))?["tags"]?.arrayValue?.compactMap(\.stringValue) ?? []
            tags += page.filter(Reference.isTag)
            guard tags.count <= RegistryClient.maximumTags else {
                throw Failure(
                    .invalid, "\(familiarName) has more than \(RegistryClient.maximumTags) tags: name those you want")
            }
            next = page.isEmpty ? nil : RegistryClient.nextPage(answer)
            // Pages of one list come from one place.
            if let next, next.origin != endpoint.origin {
                throw Failure(.invalid, "registry \(endpoint.origin.authority) continues its list elsewhere")
            }
        }
        return tags
    }

    /// The address of the next page, out of a `Link` header (RFC 8288).
    private static func nextPage(_ answer: Answer) -> RegistryURL? {
        guard let link = answer.response.headers.first(name: "Link"), link.contains("next"),
            let open = link.firstIndex(of: "<"),
            let close = link[open...].firstIndex(of: ">")
        else { return nil }
        return answer.url.resolving(String(link[link.index(after: open)..<close]))
    }

    /// A blob's bytes from `offset`, or from the first where the registry cannot begin in the middle.
    func blob(_ digest: Digest, from offset: Int64) async throws(Failure) -> BlobBody {
        var headers = HTTPHeaders()
        if offset > 0 { headers.add(name: "Range", value: "bytes=\(offset)-") }
        let answer = try await send(.GET, "/blobs/\(digest)", headers: headers, scopes: [.pull(repository)])
        let response = answer.response
        switch response.status {
        case .ok: return BlobBody(offset: 0, body: response.body, origin: answer.url.origin)
        case .partialContent:
            guard let range = response.headers.first(name: "Content-Range"),
                let start = RegistryClient.start(ofRange: range), start == offset
            else {
                throw Failure(
                    .invalid, "registry \(answer.url.origin.authority) answered with another part than was asked for")
            }
            return BlobBody(offset: offset, body: response.body, origin: answer.url.origin)
        case .rangeNotSatisfiable where offset > 0: return try await blob(digest, from: 0)
        default: throw try await failure(of: answer, manifest: nil)
        }
    }

    /// A small blob, whole and checked.
    func smallBlob(_ descriptor: Descriptor, limit: Int) async throws(Failure) -> [UInt8] {
        guard descriptor.size <= limit else {
            throw Failure(
                .invalid, "blob \(descriptor.digest) is said to have \(descriptor.size) bytes, more than \(limit)")
        }
        let body = try await blob(descriptor.digest, from: 0)
        var bytes: [UInt8] = []
        do {
            for try await buffer in body.body {
                bytes.append(contentsOf: buffer.readableBytesView)
                if bytes.count > descriptor.size { break }
            }
        } catch {
            throw RegistryTransport.failure(error, body.origin, hasAnswered: true)
        }
        guard bytes.count == descriptor.size, Digest(sha256: SHA256Sum.of(bytes)) == descriptor.digest else {
            throw Failure(
                .invalid,
                "registry \(body.origin.authority) sent a blob that is not \(descriptor.digest) of \(descriptor.size) bytes"
            )
        }
        return bytes
    }

    // MARK: One request

    /// Sends, answers a challenge once, and follows redirects of reads.
    ///
    /// Authorization goes to the endpoint's own origin only. (security: CVE-2026-50151)
    func send(
        _ method: HTTPMethod, _ path: String, headers: HTTPHeaders = [:], body: HTTPClientRequest.Body? = nil,
        scopes: [TokenSource.Scope], upload: Bool = false
    ) async throws(Failure) -> Answer {
        let url = endpoint.url("/v2/\(repository)\(path)")
        return try await send(method, to: url, headers: headers, body: body, scopes: scopes, upload: upload)
    }

    func send(
        _ method: HTTPMethod, to target: RegistryURL, headers: HTTPHeaders = [:], body: HTTPClientRequest.Body? = nil,
        scopes: [TokenSource.Scope], upload: Bool = false
    ) async throws(Failure) -> Answer {
        var url = target
        var authorization = tokens.known(endpoint, scopes, credentials)
        var challenged = false
        var redirects = 0
        while true {
            var headers = headers
            let isHome = url.origin == endpoint.origin
            if isHome, let authorization { headers.replaceOrAdd(name: "Authorization", value: authorization) }
            let response = try await transport.send(
                method, url, headers: headers, body: body,
                verifies: endpoint.verifies || url.origin.host != endpoint.origin.host, upload: upload)
            let answer = Answer(response: response, url: url)
            if response.status == .unauthorized, isHome, !challenged {
                challenged = true
                let challenges = Challenge.parse(response.headers["WWW-Authenticate"])
                guard let fresh = try await tokens.answer(challenges, from: endpoint, scopes, credentials) else {
                    return answer
                }
                authorization = fresh
                continue
            }
            guard method == .GET || method == .HEAD, [301, 302, 303, 307, 308].contains(response.status.code) else {
                return answer
            }
            redirects += 1
            guard redirects <= RegistryClient.maximumRedirects,
                let next = response.headers.first(name: "Location").flatMap({ url.resolving($0) })
            else {
                throw Failure(.invalid, "registry \(url.origin.authority) redirects without an end or to nowhere")
            }
            try allow(next, from: url)
            url = next
        }
    }

    /// Refuses to be sent from TLS to none, or from a public registry into a private network.
    func allow(_ next: RegistryURL, from url: RegistryURL) throws(Failure) {
        if next.origin == url.origin { return }
        let inward = HostReach(host: endpoint.origin.host) == .open && HostReach(host: next.origin.host) != .open
        let downgrade = url.origin.scheme == .https && next.origin.scheme == .http && endpoint.verifies
        if inward || downgrade {
            throw Failure(
                .forbidden,
                "registry \(url.origin.authority) redirects to \(next.origin), where it must not send anybody")
        }
    }

    private var manifestHeaders: HTTPHeaders {
        HTTPHeaders(MediaType.acceptedManifests.map { ("Accept", $0.rawValue) })
    }

    private static func mediaType(_ headers: HTTPHeaders) -> MediaType? {
        guard let value = headers.first(name: "Content-Type") else { return nil }
        let bare = value.prefix { $0 != ";" && $0 != " " }
        return bare.isEmpty ? nil : MediaType(rawValue: String(bare))
    }

    /// The first byte's number in a `Content-Range` such as `bytes 100-199/200`.
    private static func start(ofRange text: String) -> Int64? {
        guard text.hasPrefix("bytes ") else { return nil }
        return Int64(text.dropFirst(6).prefix { $0 != "-" })
    }
}

/// The bytes of a blob as they come.
struct BlobBody: Sendable {
    /// Where in the blob they begin.
    var offset: Int64
    var body: HTTPClientResponse.Body
    var origin: RegistryURL.Origin
}

extension RegistryClient {
    /// What an answer that is not yes means to the user, in Docker's words.
    ///
    /// - Parameter manifest: the tag or digest that was asked for, nil for a blob or an upload.
    func failure(of answer: Answer, manifest reference: String?) async throws(Failure) -> Failure {
        let body = (try? await answer.response.bytes(limit: 65536, of: "an error", answer.url.origin)) ?? []
        let error = RegistryError(status: answer.response.status.code, body: body)
        if error.isDenied {
            let reason =
                credentials == nil && error.code == "UNAUTHORIZED" && answer.asksForName
                ? "no basic auth credentials" : error.words
            return Failure(
                .notFound,
                "pull access denied for \(familiarName), repository does not exist or may require 'docker login': \(reason)"
            )
        }
        if error.isUnknown {
            if let reference, error.code != "NAME_UNKNOWN" {
                let separator = reference.contains(":") ? "@" : ":"
                return Failure(
                    .notFound,
                    "manifest for \(familiarName)\(separator)\(reference) not found: manifest unknown")
            }
            return Failure(
                .notFound,
                error.code == "NAME_UNKNOWN"
                    ? "repository \(familiarName) not found: \(error.words)"
                    : "registry \(answer.url.origin.authority) has no such blob: \(error.words)")
        }
        return Failure(
            error.isPassing ? .unavailable : .internal,
            "registry \(answer.url.origin.authority) answered: \(error.words)")
    }
}

extension RegistryClient.Answer {
    /// Whether the challenge wants a name and a password.
    var asksForName: Bool { Challenge.parse(response.headers["WWW-Authenticate"]).contains { $0.scheme == "basic" } }
}
