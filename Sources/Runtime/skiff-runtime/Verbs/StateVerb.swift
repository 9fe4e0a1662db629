internal import CLinux
internal import ContainerRuntime
internal import JSON
internal import Linux
internal import OCI

/// `state ID`: the container's state as the specification has it (runtime.md, "State").
struct StateVerb: Verb {
    static let name = "state"
    static let summary = "print a container's state as JSON"

    private let id: String

    init(_ arguments: Arguments) throws { id = try arguments.only("container id") }

    func run(_ context: RuntimeContext) throws {
        let state = try context.states.read(id)
        try writeAll(1, Self.document(state, context).serialized(pretty: true) + [UInt8(ascii: "\n")])
    }

    static func document(_ state: ContainerState, _ context: RuntimeContext) -> JSON {
        let status = currentStatus(state, context)
        return .object([
            "ociVersion": .string(RuntimeSpec.currentVersion), "id": .string(state.id),
            "pid": .integer(status == .stopped ? 0 : Int64(state.pid)), "status": .string(status.rawValue),
            "bundle": .string(state.bundle), "rootfs": .string(state.rootfs), "created": .string(state.created),
            "annotations": JSON(state.annotations), "owner": .string(context.states.owner(state.id)),
        ])
    }

    /// The state on disk and in the process table, with what the freezer says.
    ///
    /// - Parameter cgroup: the container's, where the caller has looked for it.
    static func currentStatus(
        _ state: ContainerState, _ context: RuntimeContext, _ cgroup: Cgroup? = nil
    ) -> ContainerState.Status {
        let status = context.states.status(of: state)
        guard status == .running, let cgroup = try? cgroup ?? group(of: state), cgroup.isFrozen() else { return status }
        return .paused
    }
}

extension StateDirectory {
    /// The name of the user who made the container, or the number where the name is not known.
    func owner(_ id: String) -> String {
        guard let uid = try? Linux.status("\(root)/\(id)").st_uid else { return "" }
        let accounts = Accounts(passwd: (try? readText("/etc/passwd")) ?? "", group: "")
        return accounts.users.first { $0.uid == uid }?.name ?? "\(uid)"
    }
}
