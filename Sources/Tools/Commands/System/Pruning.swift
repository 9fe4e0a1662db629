internal import EngineClient
internal import Failures
internal import JSON

/// What `prune` of any noun does: ask, remove, say what was removed and how much room that made.
struct Pruning: Sendable {
    let path: String
    let warning: String
    /// The member of the answer that lists what went, and the line above that list.
    let deleted: String
    let title: String

    static let containers = Pruning(
        path: "/containers/prune", warning: "WARNING! This will remove all stopped containers.",
        deleted: "ContainersDeleted", title: "Deleted Containers:")
    static let networks = Pruning(
        path: "/networks/prune",
        warning: "WARNING! This will remove all custom networks not used by at least one container.",
        deleted: "NetworksDeleted", title: "Deleted Networks:")

    /// The verb of a noun whose prune has no options of its own.
    func verb(_ summary: String) -> Verb {
        Verb("prune", summary, usage: "[OPTIONS]", options: [Filters.longOption, Formats.force]) {
            invocation throws(Failure) in
            guard try isWanted(invocation) else { return .success }
            let space = try run(invocation, filters: invocation[Filters.longOption])
            if let space { invocation.console.print("Total reclaimed space: \(ByteSize.decimal(space, digits: 4))") }
            return .success
        }
    }

    /// Whether the person said so beforehand, or says so now.
    func isWanted(_ invocation: Invocation) throws(Failure) -> Bool {
        if invocation[Formats.force] { return true }
        return try invocation.console.confirms("\(warning)\nAre you sure you want to continue?")
    }

    /// - Returns: bytes; nil where the engine does not count them.
    func run(_ invocation: Invocation, filters: [String]) throws(Failure) -> Int64? {
        let answer = try invocation.engine().json(Request(.post, path, query: try Filters.query(filters)))
        let lines = (answer[deleted]?.arrayValue ?? []).compactMap(Self.line)
        if !lines.isEmpty {
            invocation.console.print(title)
            for line in lines { invocation.console.print(line) }
            invocation.console.print("")
        }
        return answer["SpaceReclaimed"]?.intValue
    }

    /// A name, or what happened to an image.
    private static func line(_ entry: JSON) -> String? {
        if let name = entry.stringValue { return name }
        if let name = entry["Untagged"]?.stringValue { return "untagged: \(name)" }
        if let name = entry["Deleted"]?.stringValue { return "deleted: \(name)" }
        return nil
    }
}
