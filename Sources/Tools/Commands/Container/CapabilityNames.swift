/// Capabilities as Docker's client sends them: capitals with their prefix, each once, in order.
struct CapabilityNames: Sendable, Hashable {
    let added: [String]
    let dropped: [String]

    /// `ALL` in a list makes the rest of it idle; what is both dropped and added is added.
    init(adding: [String], dropping: [String]) {
        let add = Set(adding.map(Self.normalized)), drop = Set(dropping.map(Self.normalized))
        if add.contains("ALL") {
            added = ["ALL"]
            dropped = drop.contains("ALL") ? ["ALL"] : drop.sorted()
        } else {
            added = add.sorted()
            dropped = drop.contains("ALL") ? ["ALL"] : drop.subtracting(add).sorted()
        }
    }

    private static func normalized(_ name: String) -> String {
        let name = name.uppercased()
        return name == "ALL" || name.hasPrefix("CAP_") ? name : "CAP_" + name
    }
}
