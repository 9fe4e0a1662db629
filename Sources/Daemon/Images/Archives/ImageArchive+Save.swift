public import Failures
internal import JSON
internal import Linux
internal import NIOPosix
internal import OCI
internal import Storage

extension ImageArchive {
    /// One image to write, with the names it goes out under.
    struct Selected: Sendable {
        var image: Image
        var names: [Reference]
    }

    /// Writes images as one archive that both docker-archive and OCI layout readers understand.
    ///
    /// ```
    /// oci-layout  index.json                the OCI layout, manifests byte for byte
    /// manifest.json  repositories           docker-archive over the same blobs
    /// blobs/sha256/<hex>
    /// ```
    /// - Parameter references: as people write them; a repository without a tag means all its tags, an id no name.
    /// - Throws: `notFound` for the first that is not here.
    public func save(_ references: [String]) async throws(Failure) -> ArchiveStream {
        var selected: [Selected] = []
        for reference in references {
            for item in try choose(reference) {
                if let known = selected.firstIndex(where: { $0.image.id == item.image.id }) {
                    selected[known].names += item.names.filter { !selected[known].names.contains($0) }
                } else {
                    selected.append(item)
                }
            }
        }
        guard !selected.isEmpty else { throw Failure(.invalid, "no image was named to save") }
        return ArchiveStream(pieces: try await pieces(selected), pool: layers.pool)
    }

    private func choose(_ text: String) throws(Failure) -> [Selected] {
        if let name = try? Reference(parsing: text), name.isNameOnly {
            let images = store.list().compactMap { image -> Selected? in
                let names = image.names.filter { $0.name == name.name }
                return names.isEmpty ? nil : Selected(image: image, names: names)
            }
            if !images.isEmpty { return images }
        }
        let (image, match) = try store.find(text)
        if case .name(let name) = match { return [Selected(image: image, names: [name])] }
        return [Selected(image: image, names: [])]
    }

    private func pieces(_ selected: [Selected]) async throws(Failure) -> [ArchiveStream.Piece] {
        var digests: [Digest] = []
        var seen: Set<Digest> = []
        for item in selected {
            let blobs = [item.image.id, item.image.configDigest] + item.image.manifest.layers.map(\.digest)
            for blob in blobs where seen.insert(blob).inserted { digests.append(blob) }
        }
        let (content, wanted) = (layers.content, digests)
        let blobs = try await layers.pool.blocking { () throws(Failure) -> [ArchiveStream.Piece] in
            var blobs: [ArchiveStream.Piece] = []
            for digest in wanted {
                guard let size = content.size(of: digest) else {
                    throw Failure(.internal, "blob \(digest) of an image to save is gone")
                }
                blobs.append(
                    .blob(ImageArchive.path(digest), SharedDescriptor(try content.open(digest)), size: size))
            }
            return blobs
        }
        var pieces: [ArchiveStream.Piece] = [
            .document("oci-layout", JSON.object(["imageLayoutVersion": "1.0.0"]).serialized()),
            .document("index.json", try ImageArchive.encoded(ImageArchive.index(selected))),
            .document("manifest.json", ImageArchive.dockerManifest(selected).serialized()),
        ]
        let repositories = ImageArchive.repositories(selected)
        if !repositories.isEmpty { pieces.append(.document("repositories", JSON.object(repositories).serialized())) }
        pieces += [.directory("blobs"), .directory("blobs/sha256")]
        return pieces + blobs
    }

    private static func path(_ digest: Digest) -> String { "blobs/\(digest.algorithm)/\(digest.hex)" }

    /// One entry per name, as containerd and Docker write it.
    static func index(_ selected: [Selected]) -> Index {
        var manifests: [Descriptor] = []
        for item in selected {
            var descriptor = item.image.descriptor
            descriptor.platform = item.image.platform
            if item.names.isEmpty { manifests.append(descriptor) }
            for name in item.names {
                descriptor.annotations = [
                    "io.containerd.image.name": name.description,
                    "org.opencontainers.image.ref.name": name.tag ?? "latest",
                ]
                manifests.append(descriptor)
            }
        }
        return Index(manifests: manifests)
    }

    /// With sorted keys, so that the same images make the same archive.
    private static func encoded(_ index: Index) throws(Failure) -> [UInt8] {
        do { return try JSONCoder.encode(index, sortedKeys: true) } catch {
            throw Failure.wrapping(error, "encode index.json")
        }
    }

    static func dockerManifest(_ selected: [Selected]) -> JSON {
        .array(
            selected.map { item in
                var entry: JSONObject = [:]
                entry["Config"] = .string(path(item.image.configDigest))
                entry["RepoTags"] = item.names.isEmpty ? .null : JSON(item.names.map(\.familiar))
                entry["Layers"] = JSON(item.image.manifest.layers.map { path($0.digest) })
                return .object(entry)
            })
    }

    /// `{"alpine": {"3": "<id of the top layer>"}}`, read by very old clients.
    private static func repositories(_ selected: [Selected]) -> JSONObject {
        var repositories: JSONObject = [:]
        for item in selected {
            guard let top = item.image.manifest.layers.last?.digest.hex else { continue }
            for name in item.names {
                var tags = repositories[name.familiarName]?.objectValue ?? [:]
                tags[name.tag ?? "latest"] = .string(top)
                repositories[name.familiarName] = .object(tags)
            }
        }
        return repositories
    }
}
