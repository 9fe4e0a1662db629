internal import ContainerRuntime
internal import JSON
internal import Linux
internal import OCI

/// `state ID`: the container's state as the specification has it (runtime.md, "State").
struct StateVerb {
    let id: String

    init(_ words: [String]) throws { id = try Arguments(words).only("container id") }

    func run(_ context: RuntimeContext) throws {
        let state = try context.states.read(id)
        try writeAll(1, Self.document(state, context).text + "\n")
    }

    static func document(_ state: ContainerState, _ context: RuntimeContext) -> JSON {
        let status = currentStatus(state, context)
        var annotations = JSONObject()
        for (key, value) in state.annotations.sorted(by: { $0.key < $1.key }) { annotations[key] = .string(value) }
        return .object([
            "ociVersion": .string(RuntimeSpec.currentVersion), "id": .string(state.id),
            "pid": .integer(status == .stopped ? 0 : Int64(state.pid)), "status": .string(status.rawValue),
            "bundle": .string(state.bundle), "rootfs": .string(state.rootfs), "created": .string(state.created),
            "annotations": .object(annotations), "owner": "",
        ])
    }

    /// The state on disk and in the process table, with what the freezer says.
    static func currentStatus(_ state: ContainerState, _ context: RuntimeContext) -> ContainerState.Status {
        let status = context.states.status(of: state)
        guard status == .running, let cgroup = try? group(of: state), cgroup.isFrozen() else { return status }
        return .paused
    }
}

/// The container's cgroup on this host.
func group(of state: ContainerState) throws -> Cgroup { try Cgroup(path: state.cgroup, layout: CgroupLayout.detect()) }
