internal import Failures
internal import Linux
internal import Networking

extension ContainerService {
    /// A container's state as a value.
    func snapshot(of container: Container) -> ContainerSnapshot {
        let configuration = configuration
        return container.withLock { state in
            let record = state.record
            let id = record.id
            let arguments = record.config.processArguments
            // A container in another's network shows that one's files.
            let owner = NetworkPlan.sharedWith(record.host.networkMode).flatMap { try? index.resolve($0).id } ?? id
            let hasFiles = record.lifecycle.state.startedAt != .never
            return ContainerSnapshot(
                id: id, name: record.name, created: record.created, path: arguments.first ?? "",
                arguments: Array(arguments.dropFirst()), state: record.lifecycle.state, image: record.image,
                config: record.config,
                host: record.host, mounts: record.mounts.sorted { $0.destination < $1.destination },
                networks: record.networks,
                ports: (record.sandbox?.ports ?? []).map {
                    PortPublication(
                        hostIP: $0.hostIP.description, hostPort: $0.hostPort, containerPort: $0.containerPort,
                        proto: $0.proto.rawValue)
                },
                restartCount: record.lifecycle.restartCount,
                logPath: record.host.logDriver == "json-file" && hasFiles ? configuration.logPath(ofContainer: id) : "",
                hostnamePath: hasFiles ? configuration.hostnamePath(ofContainer: owner) : "",
                hostsPath: hasFiles ? configuration.hostsPath(ofContainer: owner) : "",
                resolvConfPath: hasFiles ? configuration.resolvConfPath(ofContainer: owner) : "",
                execIDs: state.execs.keys.sorted(), platform: record.platform, sandboxID: record.sandbox?.id ?? "")
        }
    }
}
