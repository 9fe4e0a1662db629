internal import Failures

/// `skiff image prune`.
enum PruneImages {
    private static let all = Option<Bool>.flag("all", short: "a", "Remove all unused images, not just dangling ones")

    static let verb = Verb(
        "prune", "Remove unused images", usage: "[OPTIONS]", options: [all, Filters.longOption, Formats.force]
    ) { invocation throws(Failure) in
        let pruning = invocation[all] ? allImages : danglingImages
        guard try pruning.isWanted(invocation) else { return .success }
        let filters = invocation[Filters.longOption] + ["dangling=\(invocation[all] ? "false" : "true")"]
        let space = try pruning.run(invocation, filters: filters)
        invocation.console.print("Total reclaimed space: \(ByteSize.decimal(space ?? 0, digits: 4))")
        return .success
    }

    static let danglingImages = pruning("WARNING! This will remove all dangling images.")
    static let allImages = pruning(
        "WARNING! This will remove all images without at least one container associated to them.")

    private static func pruning(_ warning: String) -> Pruning {
        Pruning(path: "/images/prune", warning: warning, deleted: "ImagesDeleted", title: "Deleted Images:")
    }
}
