public import Failures
internal import NIOPosix
public import OCI
internal import Storage

/// Brings images from registries.
///
/// Manifest, then configuration, then layers; a lease keeps everything until one transaction makes the image. A pull that
/// is cut off leaves no image, and what it fetched serves the next try.
public final class ImagePuller: Sendable {
    private let store: ImageStore
    private let layers: LayerStore
    private let registries: Registries

    public init(store: ImageStore, layers: LayerStore, registries: Registries) {
        self.store = store
        self.layers = layers
        self.registries = registries
    }

    /// What a pull found.
    public struct Result: Sendable {
        public var image: Image
        /// False when the name pointed at this image already.
        public var isNew: Bool
    }

    /// What a reference stands for at a registry, chosen for a platform.
    private struct Found: Sendable {
        /// The document the reference names: the index where there is one.
        var named: RegistryClient.Document
        var document: RegistryClient.Document
        var manifest: Manifest
    }

    /// Fetches an image and names it as it was asked for.
    ///
    /// `latest` where the reference has neither tag nor digest.
    ///
    /// - Parameters:
    ///   - platform: nil for the host's; anything else must be there exactly or as something it can run.
    ///   - progress: the first event comes when the registry has answered, so an error before it can still be a status.
    /// - Throws: `notFound` in Docker's words, `unavailable` when the registry cannot be reached, `invalid` when it sends
    ///   something other than it said.
    public func pull(
        _ reference: Reference, platform: Platform? = nil, credentials: Credentials? = nil,
        progress: @escaping ProgressSink
    ) async throws(Failure) -> Result {
        let reference = reference.withDefaultTag
        return try await registries.withClient(reference, credentials, fetching: true) {
            (client) async throws(Failure) -> Result in
            let found = try await self.find(reference, platform, client)
            progress(.pulling(repository: reference.path, tag: reference.asked))
            return try await self.take(found, as: reference, platform, client, progress)
        }
    }

    /// Fetches every tag of a repository, one after the other. (`docker pull --all-tags`)
    public func pullAllTags(
        _ repository: Reference, platform: Platform? = nil, credentials: Credentials? = nil,
        progress: @escaping ProgressSink
    ) async throws(Failure) -> [Result] {
        let tags = try await registries.withClient(repository, credentials, fetching: true) {
            (client) async throws(Failure) in try await client.tags()
        }
        guard !tags.isEmpty else {
            throw Failure(.notFound, "repository \(repository.familiarName) not found: it has no tags")
        }
        var results: [Result] = []
        for tag in tags {
            results.append(
                try await pull(
                    repository.withoutTagOrDigest.with(validating: tag), platform: platform, credentials: credentials,
                    progress: progress))
        }
        return results
    }

    private func find(
        _ reference: Reference, _ platform: Platform?, _ client: RegistryClient
    ) async throws(Failure) -> Found {
        let named = try await client.manifest(reference.asked)
        var document = named
        // An index may name another; three levels are more than anybody builds.
        for _ in 0..<3 {
            switch document.content {
            case .manifest(let manifest):
                guard manifest.config.mediaType.isImageConfig else {
                    throw Failure(
                        .invalid,
                        "\(reference.familiar) is not an image: its configuration is of type \(manifest.config.mediaType)"
                    )
                }
                return Found(named: named, document: document, manifest: manifest)
            case .index(let index):
                let wanted = platform ?? .host
                guard let entry = index.manifest(for: wanted) else {
                    throw Failure(
                        .notFound,
                        "no matching manifest for \(wanted) in the manifest list entries: no match for platform in manifest: not found"
                    )
                }
                document = try await client.manifest(entry.digest.description)
                guard Int64(document.bytes.count) == entry.size || entry.size == 0 else {
                    throw Failure(
                        .invalid,
                        "manifest \(entry.digest) has \(document.bytes.count) bytes, its index says \(entry.size)")
                }
            }
        }
        throw Failure(.invalid, "\(reference.familiar) is an index of indexes without end")
    }

    private func take(
        _ found: Found, as reference: Reference, _ platform: Platform?, _ client: RegistryClient,
        _ progress: @escaping ProgressSink
    ) async throws(Failure) -> Result {
        let names = reference.digest == nil ? [reference] : []
        let pinned = reference.withoutTagOrDigest.with(digest: found.named.digest)
        // What was pushed from here comes back under the digest of its packed layers: it is the same image.
        if let known = store.image(digest: found.document.digest), known.configDigest == found.manifest.config.digest,
            try await store.pool.blocking({ [store] in store.isWhole(known) })
        {
            let wasNamed = names.allSatisfy(known.names.contains)
            for layer in known.manifest.layers where !wasNamed {
                progress(.layer(id: layer.digest.short, stage: .alreadyExists))
            }
            if let image = try await store.name(known.id, names, pinned: pinned) {
                return finish(image, found, reference, isNew: !wasNamed, progress)
            }
        }
        let config = try await client.smallBlob(found.manifest.config, limit: ImageConfig.maximumBytes)
        let parsed = try ImageConfig(parsing: config)
        if let platform, !platform.matches(parsed.platform) {
            throw Failure(
                .notFound,
                "image with reference \(reference.familiar) was found but its platform (\(parsed.platform)) "
                    + "does not match the specified platform (\(platform))")
        }
        let targets = try LayerTarget.targets(found.manifest, parsed)
        let index = found.named.digest == found.document.digest ? nil : found.named.bytes
        let lease = try await store.hold(found.document.digest, found.manifest, targets, index: index)
        let image: Image
        do throws(Failure) {
            let sizes = try await layers.ensure(
                targets,
                from: { (digest, offset) async throws(Failure) in try await client.blob(digest, from: offset) },
                progress: progress)
            image = try await store.add(
                found.manifest, found.document.bytes, config: config, names: names, sizes: sizes,
                repoDigests: [pinned], index: index, lease: lease)
        } catch {
            // What came so far serves the next try, but not on a full disk.
            if error.isDiskFull {
                await layers.discard(targets)
                await store.abandon(lease)
            }
            throw error
        }
        return finish(image, found, reference, isNew: true, progress)
    }

    private func finish(
        _ image: Image, _ found: Found, _ reference: Reference, isNew: Bool, _ progress: ProgressSink
    ) -> Result {
        progress(.digest(found.named.digest))
        progress(isNew ? .downloaded(reference) : .upToDate(reference))
        return Result(image: image, isNew: isNew)
    }
}
