internal import EngineClient
internal import Failures
internal import JSON

/// `skiff ps`.
enum ListContainers {
    private static let all = Option<Bool>.flag("all", short: "a", "Show all containers (default shows just running)")
    private static let last = Option<Int64?>.integer(
        "last", short: "n", "Show n last created containers (includes all states)", defaultText: "-1")
    private static let latest = Option<Bool>.flag(
        "latest", short: "l", "Show the latest created container (includes all states)")
    private static let size = Option<Bool>.flag("size", short: "s", "Display total file sizes")

    static let verb = Verb(
        "ls", "List containers", usage: "[OPTIONS]",
        options: [all, last, latest, size, Filters.option, Formats.option, Formats.noTruncate, Formats.idsOnly],
        aliases: ["ps", "list"]
    ) { invocation throws(Failure) in
        var query: [(String, String)] = []
        if invocation[all] { query.append(("all", "1")) }
        if let count = invocation[latest] ? 1 : invocation[last], count > 0 {
            query.append(("limit", String(count)))
        }
        let format = invocation[Formats.option]
        let wantsSize = invocation[size] || format?.has(".Size") == true
        if wantsSize { query.append(("size", "1")) }
        query += try Filters.query(invocation[Filters.option])
        let answer = try invocation.engine().json(Request(.get, "/containers/json", query: query))
        let now = Moment.now()
        let rows = (answer.arrayValue ?? []).map { row($0, now: now, truncated: !invocation[Formats.noTruncate]) }
        let shown = wantsSize && format == nil ? listingWithSize : listing
        invocation.console.write(
            try shown.text(rows, format: format, quiet: invocation[Formats.idsOnly]))
        return .success
    }

    private static let standard =
        "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"

    private static let titles: JSONObject = [
        "ID": "CONTAINER ID", "Image": "IMAGE", "Command": "COMMAND", "RunningFor": "CREATED", "Status": "STATUS",
        "Ports": "PORTS", "Names": "NAMES", "Size": "SIZE", "CreatedAt": "CREATED AT", "State": "STATE",
        "Labels": "LABELS", "Mounts": "MOUNTS", "LocalVolumes": "LOCAL VOLUMES", "Networks": "NETWORKS",
        "Platform": "PLATFORM",
    ]

    private static let listing = Listing(titles: titles, standard: standard, idTemplate: "{{.ID}}")
    private static let listingWithSize = Listing(
        titles: titles, standard: standard + "\t{{.Size}}", idTemplate: "{{.ID}}")

    static func row(_ container: JSON, now: Moment, truncated: Bool) -> Row {
        let id = container["Id"]?.stringValue ?? ""
        let command = container["Command"]?.stringValue ?? ""
        let created = Moment(seconds: container["Created"]?.intValue ?? 0)
        var names = (container["Names"]?.arrayValue ?? []).compactMap(\.stringValue)
            .map { $0.hasPrefix("/") ? String($0.dropFirst()) : $0 }
        if truncated { names.removeAll { $0.contains("/") } }
        let mounts = (container["Mounts"]?.arrayValue ?? []).map { mount in
            let name = mount["Name"]?.stringValue ?? mount["Source"]?.stringValue ?? ""
            return truncated ? ellipsis(name, 15) : name
        }
        let volumes = (container["Mounts"]?.arrayValue ?? []).count { $0["Driver"]?.stringValue == "local" }
        let networks = container["NetworkSettings"]?["Networks"]?.objectValue?.keys.sorted() ?? []
        return Row(
            [
                "ID": .string(truncated ? String(id.prefix(12)) : id),
                "Names": .string(names.joined(separator: ",")),
                "Image": .string(image(container, truncated: truncated)),
                "Command": .string(GoText.quoted(truncated ? ellipsis(command, 20) : command)),
                "CreatedAt": .string(created.goText),
                "RunningFor": .string(created.ago(from: now)),
                "Ports": .string(PortList.text(container["Ports"]?.arrayValue ?? [])),
                "State": container["State"] ?? "",
                "Status": container["Status"] ?? "",
                "Size": .string(size(container)),
                "Mounts": .string(mounts.joined(separator: ",")),
                "LocalVolumes": .string(String(volumes)),
                "Networks": .string(networks.joined(separator: ",")),
                "Platform": container["ImageManifestDescriptor"]?["platform"] ?? .null,
            ], labels: container["Labels"])
    }

    private static func image(_ container: JSON, truncated: Bool) -> String {
        let image = container["Image"]?.stringValue ?? ""
        if image.isEmpty { return "<no image>" }
        guard truncated else { return image }
        // An image without a name is shown by its short id.
        if image == container["ImageID"]?.stringValue, image.hasPrefix("sha256:") {
            return String(image.dropFirst(7).prefix(12))
        }
        return image.hasPrefix("sha256:") ? String(image.dropFirst(7).prefix(12)) : image
    }

    private static func size(_ container: JSON) -> String {
        let writable = ByteSize.decimal(container["SizeRw"]?.intValue ?? 0)
        guard let whole = container["SizeRootFs"]?.intValue, whole > 0 else { return writable }
        return "\(writable) (virtual \(ByteSize.decimal(whole)))"
    }
}

/// Text of at most so many characters, with a sign that there was more.
func ellipsis(_ text: String, _ width: Int) -> String {
    text.count <= width ? text : "\(text.prefix(width - 1))…"
}
