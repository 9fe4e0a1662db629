internal import Failures
internal import OCI

/// One layer as an image wants it: the blob that brings it, what must be inside, and where it stands.
struct LayerTarget: Sendable, Hashable {
    /// The blob as the manifest describes it.
    var blob: Descriptor
    /// The digest of the tar inside.
    var diffID: Digest
    /// The layer with everything below it: the snapshot's key.
    var chain: Digest
    /// The chain below, nil for the bottom layer.
    var parent: Digest?

    /// The layers of an image, bottom first.
    ///
    /// Manifest and configuration must agree on their number.
    static func targets(_ manifest: Manifest, _ config: ImageConfig) throws(Failure) -> [LayerTarget] {
        let diffIDs = config.rootfs.diffIDs
        guard manifest.layers.count == diffIDs.count else {
            throw Failure(
                .invalid, "the manifest has \(manifest.layers.count) layers and the configuration has \(diffIDs.count)")
        }
        let chains = ChainID.chains(diffIDs)
        var targets: [LayerTarget] = []
        for (index, layer) in manifest.layers.enumerated() {
            guard layer.mediaType.isLayer else {
                throw Failure(.invalid, "cannot unpack a layer of type \(layer.mediaType)")
            }
            targets.append(
                LayerTarget(
                    blob: layer, diffID: diffIDs[index], chain: chains[index],
                    parent: index > 0 ? chains[index - 1] : nil))
        }
        return targets
    }
}
