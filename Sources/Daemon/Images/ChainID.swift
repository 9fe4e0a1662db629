public import OCI

/// The identity of a layer together with all layers below it: what snapshots are found by.
public enum ChainID {
    /// One chain id per diff id, bottom first: `C(n) = SHA-256(C(n-1) + " " + D(n))`. (image-spec, config.md, "Layer ChainID")
    public static func chains(_ diffIDs: [Digest]) -> [Digest] {
        var chains: [Digest] = []
        for diffID in diffIDs { chains.append(next(diffID, on: chains.last)) }
        return chains
    }

    /// The chain id of a layer that is put on `parent`.
    public static func next(_ diffID: Digest, on parent: Digest?) -> Digest {
        guard let parent else { return diffID }
        return Digest(sha256: SHA256Sum.of(Array("\(parent) \(diffID)".utf8)))
    }
}
