internal import EngineClient
internal import Failures
internal import JSON

/// `skiff system prune`.
enum PruneSystem {
    private static let all = Option<Bool>.flag("all", short: "a", "Remove all unused images not just dangling ones")
    private static let volumes = Option<Bool>.flag("volumes", "Prune anonymous volumes")

    static let verb = Verb(
        "prune", "Remove unused data", usage: "[OPTIONS]", options: [all, volumes, Filters.longOption, Formats.force]
    ) { invocation throws(Failure) in
        if !invocation[Formats.force] {
            guard try invocation.console.confirms(question(invocation)) else { return .success }
        }
        let filters = invocation[Filters.longOption]
        var space = try Pruning.containers.run(invocation, filters: filters) ?? 0
        _ = try Pruning.networks.run(invocation, filters: filters)
        if invocation[volumes] {
            let labels = filters.filter { !$0.hasPrefix("until=") }
            space += try PruneVolumes.pruning(all: false).run(invocation, filters: labels) ?? 0
        }
        let images = invocation[all] ? PruneImages.allImages : PruneImages.danglingImages
        space += try images.run(invocation, filters: filters + ["dangling=\(invocation[all] ? "false" : "true")"]) ?? 0
        let cache = try invocation.engine().json(
            Request(.post, "/build/prune", query: invocation[all] ? [("all", "1")] : []))
        space += cache["SpaceReclaimed"]?.intValue ?? 0
        invocation.console.print("Total reclaimed space: \(ByteSize.decimal(space, digits: 4))")
        return .success
    }

    private static func question(_ invocation: Invocation) -> String {
        var lines = ["all stopped containers", "all networks not used by at least one container"]
        if invocation[volumes] { lines.append("all anonymous volumes not used by at least one container") }
        if invocation[all] {
            lines += ["all images without at least one container associated to them", "all build cache"]
        } else {
            lines += ["all dangling images", "unused build cache"]
        }
        let list = lines.map { "  - \($0)\n" }.joined()
        return "WARNING! This will remove:\n\(list)\nAre you sure you want to continue?"
    }
}
