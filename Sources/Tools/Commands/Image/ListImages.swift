internal import EngineClient
internal import Failures
internal import JSON
internal import OCI

/// `skiff images`.
enum ListImages {
    private static let all = Option<Bool>.flag(
        "all", short: "a", "Show all images (default hides intermediate and dangling images)")
    private static let digests = Option<Bool>.flag("digests", "Show digests")

    static let verb = Verb(
        "ls", "List images", usage: "[OPTIONS] [REPOSITORY[:TAG]]",
        options: [all, digests, Filters.option, Formats.option, Formats.noTruncate, Formats.idsOnly],
        arguments: 0...1, aliases: ["images", "list"]
    ) { invocation throws(Failure) in
        var filters = invocation[Filters.option]
        if let reference = invocation.arguments.first { filters.append("reference=\(reference)") }
        var query = try Filters.query(filters)
        if invocation[all] { query.append(("all", "1")) }
        let answer = try invocation.engine().json(Request(.get, "/images/json", query: query))
        let now = Moment.now()
        let options = RowOptions(
            now: now, truncated: !invocation[Formats.noTruncate],
            withDigests: invocation[digests] || invocation[Formats.option]?.has(".Digest") == true)
        let rows = (answer.arrayValue ?? []).flatMap { Self.rows($0, options) }
        let columns = invocation[digests] ? "{{.Repository}}\t{{.Tag}}\t{{.Digest}}" : "{{.Repository}}\t{{.Tag}}"
        let listing = Listing(
            titles: titles, standard: "\(columns)\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}", idTemplate: "{{.ID}}")
        invocation.console.write(
            try listing.text(rows, format: invocation[Formats.option], quiet: invocation[Formats.idsOnly]))
        return .success
    }

    private static let titles: JSONObject = [
        "Repository": "REPOSITORY", "Tag": "TAG", "Digest": "DIGEST", "ID": "IMAGE ID", "CreatedSince": "CREATED",
        "CreatedAt": "CREATED AT", "Size": "SIZE", "VirtualSize": "SIZE", "SharedSize": "SHARED SIZE",
        "UniqueSize": "UNIQUE SIZE", "Containers": "CONTAINERS", "Labels": "LABELS",
    ]

    struct RowOptions {
        let now: Moment
        let truncated: Bool
        let withDigests: Bool
    }

    /// One row per name; an image without one has a row of its own.
    static func rows(_ image: JSON, _ options: RowOptions) -> [Row] {
        let id = image["Id"]?.stringValue ?? ""
        let created = Moment(seconds: image["Created"]?.intValue ?? 0)
        let digests = (image["RepoDigests"]?.arrayValue ?? []).compactMap(\.stringValue).compactMap {
            try? Reference(parsing: $0)
        }
        var names = (image["RepoTags"]?.arrayValue ?? []).compactMap(\.stringValue)
            .filter { $0 != "<none>:<none>" }
            .compactMap { try? Reference(parsing: $0) }
            .map { reference in
                let digest = digests.first { $0.name == reference.name }?.digest
                return (reference.familiarName, reference.tag ?? "<none>", digest?.description ?? "<none>")
            }
        if names.isEmpty {
            names =
                digests.isEmpty
                ? [("<none>", "<none>", "<none>")]
                : digests.map { ($0.familiarName, "<none>", $0.digest?.description ?? "<none>") }
        }
        let size = ByteSize.decimal(image["Size"]?.intValue ?? 0)
        func count(_ key: String, _ show: (Int64) -> String) -> JSON {
            let value = image[key]?.intValue ?? -1
            return .string(value < 0 ? "N/A" : show(value))
        }
        return names.map { repository, tag, digest in
            Row(
                [
                    "ID": .string(options.truncated ? String(id.drop(prefix: "sha256:").prefix(12)) : id),
                    "Repository": .string(repository), "Tag": .string(tag), "Digest": .string(digest),
                    "CreatedSince": .string(created.ago(from: options.now)), "CreatedAt": .string(created.goText),
                    "Size": .string(size), "VirtualSize": .string(size),
                    "SharedSize": count("SharedSize") { ByteSize.decimal($0) }, "UniqueSize": "N/A",
                    "Containers": count("Containers") { String($0) },
                ], labels: image["Labels"])
        }
    }
}

extension String {
    /// The text without a beginning, if it has it.
    func drop(prefix: String) -> Substring { hasPrefix(prefix) ? dropFirst(prefix.count) : self[...] }
}
