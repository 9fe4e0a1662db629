internal import Failures

/// `skiff builder prune`.
enum PruneBuilds {
    private static let all = Option<Bool>.flag(
        "all", short: "a", "Remove all unused build cache, not just dangling ones")

    static let verb = Verb(
        "prune", "Remove build cache", usage: "[OPTIONS]", options: [all, Filters.longOption, Formats.force]
    ) { invocation throws(Failure) in
        let pruning = Pruning(
            path: "/build/prune",
            warning: "WARNING! This will remove all \(invocation[all] ? "" : "dangling ")build cache.",
            deleted: "CachesDeleted", title: "Deleted build cache objects:")
        guard try pruning.isWanted(invocation) else { return .success }
        let space = try pruning.run(
            invocation, filters: invocation[Filters.longOption], query: invocation[all] ? [("all", "1")] : [])
        invocation.console.print("Total reclaimed space: \(ByteSize.decimal(space ?? 0, digits: 4))")
        return .success
    }
}
