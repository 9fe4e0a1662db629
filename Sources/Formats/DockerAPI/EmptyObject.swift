/// `{}`: what stands behind the keys of Go's sets.
public struct EmptyObject: Codable, Sendable, Hashable, Defaultable {
    public init() {}
}
