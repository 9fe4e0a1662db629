internal import JSON

/// What lets our bridges through a firewall that is not ours: rules in the chain `FORWARD` that `iptables` keeps.
///
/// Pure.
///
/// A packet goes on only when no base chain of its hook drops it, so our table cannot overrule another's. dockerd sets the
/// policy of this chain to drop for the whole machine, and where bridges call the IP filter (br_netfilter) that meets what
/// stays on one bridge too. Two rules for each bridge, marked with our table's name, say that nothing here speaks
/// against what it sends and receives; what does pass is for our own chain `forward` to decide, which sees every packet all the same.
///
/// They come last: what the rules before them refuse stays refused. That is why they are not in `DOCKER-USER`, where an accept
/// comes before dockerd's own drops and would open its containers to ours. Only a rule that takes all that is left (`-j REJECT`)
/// comes after them. They are written as `iptables` writes its own, since it refuses a chain that it cannot read back.
struct ForwardChain: Sendable, Hashable {
    struct Rule: Sendable, Hashable {
        let handle: UInt64
        let comment: String
        /// What the rule lets through, when that is all it does.
        let passage: Passage?
        /// Nothing gets past it.
        let takesAll: Bool
    }

    /// One direction through one bridge.
    struct Passage: Sendable, Hashable {
        enum Side: String, Sendable, Hashable, CaseIterable {
            case from
            case to
        }

        let side: Side
        let bridge: String

        static func both(_ bridge: String) -> [Passage] { Side.allCases.map { Passage(side: $0, bridge: bridge) } }
    }

    let rules: [Rule]

    /// Lists the chain; it fails where nobody uses `iptables`.
    static let query = "list chain ip filter FORWARD\n"
    /// Whose changes matter.
    static let table = "filter"

    /// Reads what libnftables answers to ``query`` in its JSON form (`libnftables-json(5)`).
    ///
    /// nil for a chain that is not in the kernel's path: somebody's own that has the name only.
    init?(listing: JSON) {
        let entries = listing["nftables"]?.arrayValue ?? []
        guard entries.contains(where: { $0["chain"]?["hook"]?.stringValue == "forward" }) else { return nil }
        rules = entries.compactMap { entry in entry["rule"].flatMap(Self.rule) }
    }

    private static func rule(_ rule: JSON) -> Rule? {
        guard let handle = rule["handle"]?.unsignedValue else { return nil }
        // Each expression is an object of one member. Neither a counter nor what `-m comment` makes says anything about a packet.
        var parts: [JSONObject.Element] = []
        for expression in rule["expr"]?.arrayValue ?? [] {
            for part in expression.objectValue ?? [:]
            where part.key != "counter" && part.value["name"]?.stringValue != "comment" {
                parts.append(part)
            }
        }
        let conditions = parts.dropLast()
        let verdict = parts.last
        var passage: Passage?
        if verdict?.key == "accept", conditions.count == 1 { passage = conditions.first.flatMap(Self.passage) }
        return Rule(
            handle: handle, comment: rule["comment"]?.stringValue ?? "", passage: passage,
            takesAll: conditions.isEmpty && verdict.map(takesAll) == true)
    }

    private static func passage(_ condition: JSONObject.Element) -> Passage? {
        guard condition.key == "match", condition.value["op"]?.stringValue == "==",
            let bridge = condition.value["right"]?.stringValue
        else { return nil }
        return switch condition.value["left"]?["meta"]?["key"]?.stringValue {
        case "iifname": Passage(side: .from, bridge: bridge)
        case "oifname": Passage(side: .to, bridge: bridge)
        default: nil
        }
    }

    /// A verdict without a condition before it; `xt` is a target of `iptables`, whose name older libraries do not tell.
    private static func takesAll(_ verdict: JSONObject.Element) -> Bool {
        switch verdict.key {
        case "accept", "drop", "reject", "return": true
        case "xt": verdict.value["name"]?.stringValue.map { $0 == "REJECT" } ?? true
        default: false
        }
    }

    /// What to do so that exactly these bridges are let through by rules with this mark; empty when that is so.
    func script(bridges: [String], mark: String) -> String {
        let wanted = bridges.flatMap(Passage.both)
        var missing = Set(wanted)
        var text = ""
        for rule in rules {
            let isOurs = rule.comment.hasPrefix(mark + ": ")
            // It counts without our mark too: `iptables-restore` keeps comments in another place.
            if let passage = rule.passage, missing.contains(passage) {
                missing.remove(passage)
            } else if isOurs {
                text += "delete rule ip filter FORWARD handle \(rule.handle)\n"
            }
        }
        let end = rules.first(where: \.takesAll)?.handle
        for passage in wanted where missing.contains(passage) {
            let place = end.map { "insert rule ip filter FORWARD handle \($0)" } ?? "add rule ip filter FORWARD"
            let interface = passage.side == .from ? "iifname" : "oifname"
            text += "\(place) \(interface) \"\(passage.bridge)\" counter accept"
            text += " comment \"\(mark): \(passage.side.rawValue) \(passage.bridge)\"\n"
        }
        return text
    }
}
