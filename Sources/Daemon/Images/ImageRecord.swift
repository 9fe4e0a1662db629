internal import Failures
internal import JSON
internal import OCI
internal import Storage

/// What the store writes down of an image beside its blobs.
///
/// ```
/// images.document = {
///   "descriptor":  {mediaType, digest, size}      the manifest's
///   "repoDigests": ["docker.io/library/alpine@sha256:…", …]
///   "layerSizes":  [bytes of files, …]            one per layer
///   "packed":      {diff id: descriptor, …}       layers packed for a push, when they are stored unpacked
///   "kept":        [digest, …]                    blobs that belong to it and that the manifest does not name: its index
/// }
/// ```
struct ImageRecord: Sendable, Hashable, Codable {
    var descriptor: Descriptor
    var repoDigests: [Reference] = []
    var layerSizes: [Int64] = []
    var packed: [String: Descriptor] = [:]
    var kept: [Digest] = []

    /// Takes over what another record of the same image knows besides.
    mutating func merge(_ other: ImageRecord) {
        repoDigests = Set(repoDigests + other.repoDigests).sorted()
        if layerSizes.isEmpty { layerSizes = other.layerSizes }
        packed.merge(other.packed) { mine, _ in mine }
        kept = Set(kept + other.kept).sorted()
    }

    /// The row of an image with this record.
    func row(_ manifest: Manifest, chains: [Digest], created: Int64) throws(Failure) -> ImageRow {
        var blobs: Set<Digest> = [descriptor.digest, manifest.config.digest]
        blobs.formUnion(manifest.layers.map(\.digest))
        blobs.formUnion(packed.values.map(\.digest))
        blobs.formUnion(kept)
        let document: [UInt8]
        do { document = try JSONCoder.encode(self, sortedKeys: true) } catch {
            throw Failure.wrapping(error, "encode image \(descriptor.digest)")
        }
        return ImageRow(
            id: descriptor.digest, blobs: blobs.sorted(), layers: chains.map(\.description), created: created,
            document: document)
    }
}
