internal import Images
internal import OCI

/// A tree as a vertex leaves it: a chain of layers that are stored and unpacked.
struct TreeState: Sendable, Hashable {
    /// The layers with all below them, the snapshot's key; `nil` for nothing.
    var chain: Digest?
    /// Bottom first.
    var layers: [LayerDescriptor] = []
    /// Whether this vertex added a layer.
    var addsLayer = false
    /// When it was made, in nanoseconds since 1970.
    var created: Int64 = 0
    var wasCached = false

    var snapshot: String? { chain?.description }

    /// The name of these layers with another on top: what the specification calls a chain id.
    static func chain(_ below: Digest?, _ diffID: Digest) -> Digest {
        guard let below else { return diffID }
        return Digest(sha256: SHA256Text.digest("\(below) \(diffID)"))
    }
}
