internal import EngineClient
internal import Failures
internal import JSON

/// `skiff network ls`.
enum ListNetworks {
    static let verb = Verb(
        "ls", "List networks", usage: "[OPTIONS]",
        options: [Filters.option, Formats.option, Formats.noTruncate, Formats.idsOnly], aliases: ["list"]
    ) { invocation throws(Failure) in
        let query = try Filters.query(invocation[Filters.option])
        let answer = try invocation.engine().json(Request(.get, "/networks", query: query))
        let networks = (answer.arrayValue ?? []).sorted {
            ($0["Name"]?.stringValue ?? "") < ($1["Name"]?.stringValue ?? "")
        }
        let rows = networks.map { row($0, truncated: !invocation[Formats.noTruncate]) }
        invocation.console.write(
            try listing.text(rows, format: invocation[Formats.option], quiet: invocation[Formats.idsOnly]))
        return .success
    }

    private static let listing = Listing(
        titles: [
            "ID": "NETWORK ID", "Name": "NAME", "Driver": "DRIVER", "Scope": "SCOPE", "IPv4": "IPV4", "IPv6": "IPV6",
            "Internal": "INTERNAL", "Labels": "LABELS", "CreatedAt": "CREATED AT",
        ], standard: "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}", idTemplate: "{{.ID}}")

    private static func row(_ network: JSON, truncated: Bool) -> Row {
        let id = network["Id"]?.stringValue ?? ""
        func flag(_ key: String, default fallback: Bool) -> JSON {
            .string((network[key]?.boolValue ?? fallback) ? "true" : "false")
        }
        let created = network["Created"]?.stringValue.flatMap { Moment(rfc3339: $0)?.goText }
        return Row(
            [
                "ID": .string(truncated ? String(id.prefix(12)) : id), "Name": network["Name"] ?? "",
                "Driver": network["Driver"] ?? "", "Scope": network["Scope"] ?? "",
                "IPv4": flag("EnableIPv4", default: true), "IPv6": flag("EnableIPv6", default: false),
                "Internal": flag("Internal", default: false), "CreatedAt": .string(created ?? ""),
            ], labels: network["Labels"])
    }
}
