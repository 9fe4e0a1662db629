internal import Failures
internal import Images
internal import Networking
internal import OCI

/// Which containers a list call shows.
struct ContainerList {
    private let request: ContainerListRequest
    private let names: [NamePattern]
    private let statuses: Set<ContainerStatus>
    private let exitCodes: Set<Int>
    private let health: Set<String>
    /// Those made before, and after, a container that was named.
    private let before: Timestamp?
    private let since: Timestamp?
    private let publish: [PortRange]
    private let expose: [PortRange]
    private let images: ImageStore

    /// - Throws: `invalid` for values that mean nothing, `notFound` for a container that `before` or `since` names.
    init(_ request: ContainerListRequest, index: ContainerIndex, images: ImageStore) throws(Failure) {
        self.request = request
        self.images = images
        let filters = request.filters
        names = try filters["name"].map { text throws(Failure) in try NamePattern(text) }
        statuses = Set(
            try filters["status"].map { text throws(Failure) in
                guard let status = ContainerStatus(rawValue: text) else {
                    throw Failure(
                        .invalid,
                        "invalid filter 'status=\(text)': use one of created, restarting, running, removing, paused, exited, dead"
                    )
                }
                return status
            })
        exitCodes = Set(
            try filters["exited"].map { text throws(Failure) in
                guard let code = Int(text) else { throw Failure(.invalid, "invalid filter 'exited=\(text)'") }
                return code
            })
        health = Set(filters["health"])
        before = try filters["before"].first.map { text throws(Failure) in try index.resolve(text).created }
        since = try filters["since"].first.map { text throws(Failure) in try index.resolve(text).created }
        publish = try filters["publish"].map { text throws(Failure) in try PortRange(text) }
        expose = try filters["expose"].map { text throws(Failure) in try PortRange(text) }
    }

    /// - Parameter containers: newest first.
    func select(_ containers: [ContainerSnapshot]) -> [ContainerSnapshot] {
        // A filter on what only stopped containers have implies all; so does a limit.
        let all = request.all || (request.limit ?? 0) > 0 || !statuses.isEmpty || !exitCodes.isEmpty
        let selected = containers.lazy.filter { (all || $0.state.isRunning) && matches($0) }
        guard let limit = request.limit, limit > 0 else { return Array(selected) }
        return Array(selected.prefix(limit))
    }

    private func matches(_ container: ContainerSnapshot) -> Bool {
        let filters = request.filters
        func any(_ key: String, _ test: (String) -> Bool) -> Bool {
            let values = filters[key]
            return values.isEmpty || values.contains(where: test)
        }
        return (names.isEmpty || names.contains { $0.matches(container.name) || $0.matches("/" + container.name) })
            && any("id") { container.id.hasPrefix($0) }
            && (statuses.isEmpty || statuses.contains(container.state.status))
            && (exitCodes.isEmpty
                || (exitCodes.contains(container.state.exitCode) && container.state.status == .exited
                    && container.state.startedAt != .never))
            && (health.isEmpty || health.contains(container.state.health?.status.rawValue ?? "none"))
            && (before.map { container.created < $0 } ?? true) && (since.map { container.created > $0 } ?? true)
            && filters.matchesLabels(container.config.labels)
            && any("ancestor") { descends(container, from: $0) }
            && any("network") { wanted in
                container.networks.contains {
                    $0.networkName == wanted || (!$0.networkID.isEmpty && $0.networkID.hasPrefix(wanted))
                }
            }
            && any("volume") { wanted in
                container.mounts.contains { $0.name == wanted || $0.destination == wanted || $0.source == wanted }
            }
            && (publish.isEmpty
                || container.ports.contains { port in publish.contains { $0.contains(port.hostPort, port.proto) } })
            && (expose.isEmpty
                || container.config.exposedPorts.contains { text in
                    guard let port = try? NetworkPlan.port(text) else { return false }
                    return expose.contains { $0.contains(port.port, port.proto.rawValue) }
                })
            && any("isolation") { $0 == "default" } && any("is-task") { $0 != "true" }
    }

    /// The image itself, or one whose layers begin with all of its layers.
    private func descends(_ container: ContainerSnapshot, from reference: String) -> Bool {
        if container.config.image == reference { return true }
        guard let ancestor = try? images.resolve(reference) else { return false }
        if ancestor.id == container.image { return true }
        guard let image = images.image(container.image), !ancestor.chainIDs.isEmpty else { return false }
        return image.chainIDs.starts(with: ancestor.chainIDs)
    }
}

/// `80`, `80/udp`, `8000-9000/tcp`.
struct PortRange: Sendable, Hashable {
    private let ports: ClosedRange<UInt16>
    private let proto: String?

    init(_ text: String) throws(Failure) {
        let invalid = Failure(.invalid, "invalid port filter '\(text)'")
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let numbers = parts.first else { throw invalid }
        let ends = numbers.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count <= 2, let first = UInt16(ends[0]), let last = ends.count == 2 ? UInt16(ends[1]) : first,
            first <= last
        else {
            throw invalid
        }
        ports = first...last
        proto = parts.count == 2 ? parts[1].lowercased() : nil
    }

    func contains(_ port: UInt16, _ proto: String) -> Bool { ports.contains(port) && (self.proto ?? proto) == proto }
}
