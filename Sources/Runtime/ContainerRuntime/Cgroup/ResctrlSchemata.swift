/// Lines of a `schemata` file: for each resource what each of its domains gets.
///
/// See the kernel's resctrl.rst, "Schemata files - general concepts".
struct ResctrlSchemata: Equatable {
    /// `L3` to `0: fff`; masks of bits without leading zeros, other values as they are.
    private(set) var resources: [String: [String: String]] = [:]

    init(_ lines: [String]) {
        for line in lines {
            let parts = line.split(separator: ":", maxSplits: 1).map { Self.trimmed($0) }
            guard parts.count == 2 else { continue }
            for entry in parts[1].split(separator: ";") {
                let pair = entry.split(separator: "=", maxSplits: 1).map { Self.trimmed($0) }
                guard pair.count == 2 else { continue }
                let value = parts[0].hasPrefix("MB") ? pair[1] : String(pair[1].drop { $0 == "0" }).lowercased()
                resources[parts[0], default: [:]][Self.number(pair[0])] = value
            }
        }
    }

    /// What a document asks for, in the order in which it is written.
    ///
    /// Bandwidth has a member of its own, so that lines of it among those of the cache are left out, as runc does.
    static func lines(l3Cache: String?, memoryBandwidth: String?, _ lines: [String]) -> [String] {
        func split(_ text: String?) -> [String] { (text ?? "").split(separator: "\n").map { trimmed($0) } }
        return
            (split(l3Cache).filter { !$0.hasPrefix("MB:") } + split(memoryBandwidth) + lines.map { trimmed($0[...]) })
            .filter { !$0.isEmpty }
    }

    /// Whether another's file says all of this one's.
    func isPart(of other: ResctrlSchemata) -> Bool {
        resources.allSatisfy { name, domains in
            domains.allSatisfy { other.resources[name]?[$0.key] == $0.value }
        }
    }

    private static func number(_ text: String) -> String { Int(text).map { "\($0)" } ?? text }

    private static func trimmed(_ text: Substring) -> String {
        String(text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
