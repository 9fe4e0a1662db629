internal import Failures

/// `skiff volume prune`.
enum PruneVolumes {
    private static let all = Option<Bool>.flag(
        "all", short: "a", "Remove all unused volumes, not just anonymous ones")

    static let verb = Verb(
        "prune", "Remove unused local volumes", usage: "[OPTIONS]", options: [all, Filters.longOption, Formats.force]
    ) { invocation throws(Failure) in
        let pruning = pruning(all: invocation[all])
        guard try pruning.isWanted(invocation) else { return .success }
        let filters = invocation[Filters.longOption] + (invocation[all] ? ["all=true"] : [])
        let space = try pruning.run(invocation, filters: filters)
        invocation.console.print("Total reclaimed space: \(ByteSize.decimal(space ?? 0, digits: 4))")
        return .success
    }

    static func pruning(all: Bool) -> Pruning {
        Pruning(
            path: "/volumes/prune",
            warning: all
                ? "WARNING! This will remove all local volumes not used by at least one container."
                : "WARNING! This will remove anonymous local volumes not used by at least one container.",
            deleted: "VolumesDeleted", title: "Deleted Volumes:")
    }
}
