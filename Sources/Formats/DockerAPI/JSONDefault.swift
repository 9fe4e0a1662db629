public import JSON

extension JSON: Defaultable {
    /// `null`.
    public init() { self = .null }
}
