internal import EngineClient
internal import Failures
internal import JSON

/// `skiff builder prune`.
enum PruneBuilder {
    private static let all = Option<Bool>.flag(
        "all", short: "a", "Remove all unused build cache, not just dangling ones")
    private static let keep = Option<Int64?>.bytes("keep-storage", "Amount of disk space to keep for cache")

    static let verb = Verb(
        "prune", "Remove build cache", usage: "[OPTIONS]", options: [all, Filters.longOption, Formats.force, keep]
    ) { invocation throws(Failure) in
        let what = invocation[all] ? "all build cache" : "all dangling build cache"
        if !invocation[Formats.force] {
            let question = "WARNING! This will remove \(what).\nAre you sure you want to continue?"
            guard try invocation.console.confirms(question) else { return .success }
        }
        var query = try Filters.query(invocation[Filters.longOption])
        if invocation[all] { query.append(("all", "1")) }
        if let bytes = invocation[keep] { query.append(("keep-storage", String(bytes))) }
        let answer = try invocation.engine().json(Request(.post, "/build/prune", query: query))
        let removed = (answer["CachesDeleted"]?.arrayValue ?? []).compactMap(\.stringValue)
        if !removed.isEmpty {
            invocation.console.print("Deleted build cache objects:")
            for id in removed { invocation.console.print(id) }
            invocation.console.print("")
        }
        let space = answer["SpaceReclaimed"]?.intValue ?? 0
        invocation.console.print("Total reclaimed space: \(ByteSize.decimal(space, digits: 4))")
        return .success
    }
}
