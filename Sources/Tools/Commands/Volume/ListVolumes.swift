internal import EngineClient
internal import Failures
internal import JSON

/// `skiff volume ls`.
enum ListVolumes {
    private static let namesOnly = Option<Bool>.flag("quiet", short: "q", "Only display volume names")

    static let verb = Verb(
        "ls", "List volumes", usage: "[OPTIONS]", options: [Filters.option, Formats.option, namesOnly],
        aliases: ["list"]
    ) { invocation throws(Failure) in
        let query = try Filters.query(invocation[Filters.option])
        let answer = try invocation.engine().json(Request(.get, "/volumes", query: query))
        let volumes = (answer["Volumes"]?.arrayValue ?? []).sorted {
            ($0["Name"]?.stringValue ?? "") < ($1["Name"]?.stringValue ?? "")
        }
        let rows = volumes.map { volume in
            Row(
                [
                    "Name": volume["Name"] ?? "", "Driver": volume["Driver"] ?? "", "Scope": volume["Scope"] ?? "",
                    "Mountpoint": volume["Mountpoint"] ?? "", "Links": "N/A", "Size": "N/A", "Availability": "N/A",
                    "Group": "N/A", "Status": "N/A",
                ], labels: volume["Labels"])
        }
        invocation.console.write(
            try listing.text(rows, format: invocation[Formats.option], quiet: invocation[namesOnly]))
        return .success
    }

    private static let listing = Listing(
        titles: [
            "Name": "VOLUME NAME", "Driver": "DRIVER", "Scope": "SCOPE", "Mountpoint": "MOUNTPOINT",
            "Labels": "LABELS", "Links": "LINKS", "Size": "SIZE", "Availability": "AVAILABILITY", "Group": "GROUP",
            "Status": "STATUS",
        ], standard: "{{.Driver}}\t{{.Name}}", idTemplate: "{{.Name}}")
}
