internal import Execution
internal import Failures
internal import Images
internal import JSON
internal import Linux
internal import NIOPosix
internal import Networking
internal import OCI
internal import Storage

// Creation: everything is checked, then one row is written; no mount, no process, no network.

extension ContainerService {
    func make(_ request: CreateRequest) async throws(Failure) -> CreateResult {
        let image = try image(for: request)
        let config = try request.config.merged(with: image.config.config)
        let (host, warnings) = try settled(request.host)
        try check(config, host)

        let id = RandomID.make()
        let given = request.name ?? ""
        let name: String
        if given.isEmpty {
            name = index.reserveGenerated(for: id)
        } else {
            name = try ContainerName.validated(given)
            try index.reserve(name, for: id)
        }
        do throws(Failure) {
            try await make(id: id, name: name, image: image, config: config, host: host, request: request)
            return CreateResult(id: id, warnings: warnings)
        } catch {
            index.release(name, of: id)
            // A client that is told "not found" here would pull the image and try again.
            throw error.kind == .notFound ? Failure(.invalid, error.message, cause: error) : error
        }
    }

    private func make(
        id: String, name: String, image: Image, config: ContainerConfig, host: HostSettings, request: CreateRequest
    ) async throws(Failure) {
        let mounts = try await mountPoints(config, host)
        var networks = try NetworkPlan.attachments(host: host, config: config, endpoints: request.endpoints)
        // A network that is not there yet is only missed at the start.
        for index in networks.indices {
            if let network = try? self.networks.resolve(networks[index].settings.network) {
                networks[index].networkName = network.name
                networks[index].networkID = network.id
            }
        }
        // What can be seen to be wrong now is refused now.
        _ = try NetworkPlan.request(id: id, name: name, hostname: "", config: config, host: host, networks: networks)

        var config = config
        if config.hostname.isEmpty { config.hostname = try hostname(id: id, host) }
        var lifecycle = Lifecycle()
        lifecycle.restartPolicy = host.restartPolicy
        lifecycle.autoRemove = host.autoRemove
        var record = ContainerRecord(
            id: id, name: name, image: image.id, created: .now, platform: image.platform, config: config, host: host,
            mounts: mounts,
            networks: networks, lifecycle: lifecycle)
        _ = try plan(record, hostname: config.hostname).settings(checkingOnly: true)

        let wanted = record.mounts.filter { $0.kind == .volume }
        let labels = Dictionary(
            host.mounts.filter { $0.type == "volume" }.map { ($0.source, $0.labels) },
            uniquingKeysWith: { first, _ in first })
        var pinned: [Volume] = []
        if !wanted.isEmpty {
            pinned = try await volumes.pin(
                wanted.map { point in
                    var request = VolumeRequest(name: point.isAnonymous ? nil : point.name)
                    request.driver = point.driver
                    request.labels = labels[point.name] ?? [:]
                    return request
                })
            var made = pinned.makeIterator()
            for index in record.mounts.indices where record.mounts[index].kind == .volume {
                guard let volume = made.next() else { break }
                record.mounts[index].name = volume.name
                record.mounts[index].source = volume.mountpoint
                record.mounts[index].driver = volume.driver
            }
        }
        do throws(Failure) {
            try await rows.save(try record.row(), with: pinned.filter(\.isAnonymous).map(\.row))
        } catch {
            volumes.unpin(pinned.map(\.name))
            await volumes.discard(pinned.filter(\.isAnonymous).map(\.name))
            throw error
        }
        let container = Container(record: record)
        index.insert(container)
        volumes.unpin(pinned.map(\.name))
        events.publish(Event(.container, "create", actor: id, attributes: container.eventAttributes()))
    }

    /// - Throws: `notFound` in the two cases in which a client pulls and tries again.
    private func image(for request: CreateRequest) throws(Failure) -> Image {
        guard !request.config.image.isEmpty else {
            throw Failure(.invalid, "config.image must not be empty: name the image to run")
        }
        let image = try images.resolve(request.config.image)
        if let platform = request.platform, !platform.isEmpty {
            let wanted = try Platform(parsing: platform)
            guard wanted.matches(image.platform) else {
                throw Failure(
                    .notFound,
                    "image with reference \(request.config.image) was found but does not provide the specified platform (\(wanted))"
                )
            }
        }
        return image
    }

    /// The daemon's defaults where the request says nothing, without what the kernel cannot do.
    ///
    /// - Returns: also what to tell the client of that.
    private func settled(_ host: HostSettings) throws(Failure) -> (HostSettings, warnings: [String]) {
        var json = host.json
        let warnings = MachineLimits.current.discard(from: &json)
        json["Runtime"] = .string(host.runtime.isEmpty ? configuration.defaultRuntime : host.runtime)
        let driver = host.namesLogDriver ? host.logDriver : configuration.logDriver
        let inherited = driver == configuration.logDriver ? configuration.logOptions : [:]
        json["LogConfig"] = .object([
            "Type": .string(driver), "Config": .dictionary(host.logOptions.merging(inherited) { own, _ in own }),
        ])
        if host.shmSize == HostSettings.defaultShmSize { json["ShmSize"] = .integer(configuration.sharedMemorySize) }
        return (try HostSettings(json: .object(json)), warnings)
    }

    private func check(_ config: ContainerConfig, _ host: HostSettings) throws(Failure) {
        if let signal = config.stopSignal { _ = try Signal(parsing: signal) }
        try MachineLimits.current.check(host)
        if !config.workingDirectory.isEmpty, !config.workingDirectory.hasPrefix("/") {
            throw Failure(
                .invalid,
                "the working directory '\(config.workingDirectory)' is invalid, it needs to be an absolute path")
        }
        for entry in config.env where entry.utf8.contains(0) || entry.hasPrefix("=") {
            throw Failure(.invalid, "invalid environment variable: \(entry.filter { $0 != "\0" })")
        }
        for argument in config.processArguments where argument.utf8.contains(0) {
            throw Failure(.invalid, "an argument of the command holds a zero byte")
        }
        guard config.hostname.utf8.count <= 64, !config.hostname.utf8.contains(where: { $0 <= 32 || $0 == 127 }) else {
            throw Failure(.invalid, "invalid hostname format: \(config.hostname)")
        }
        if NetworkPlan.sharedWith(host.networkMode) != nil, !config.hostname.isEmpty {
            throw Failure(.invalid, "conflicting options: hostname and the network mode")
        }
        guard EngineConfiguration.ownRuntimeNames.contains(host.runtime) || configuration.runtimes[host.runtime] != nil
        else {
            throw Failure(.invalid, "unknown or invalid runtime name: \(host.runtime)")
        }
        _ = try LogOptions(driver: host.logDriver, host.logOptions)
        for port in config.exposedPorts { _ = try NetworkPlan.port(port) }
        if let other = NetworkPlan.sharedWith(host.networkMode), !host.portBindings.isEmpty || host.publishAllPorts {
            throw Failure(
                .invalid,
                "conflicting options: port publishing and the container type network mode (container:\(other))")
        }
        if !host.links.isEmpty {
            throw Failure(
                .invalid, "links are not supported: put both containers on a user-defined network and use their names")
        }
    }

    private func hostname(id: String, _ host: HostSettings) throws(Failure) -> String {
        if host.networkMode == "host" || host.utsMode == "host" { return hostName() }
        if let other = NetworkPlan.sharedWith(host.networkMode) { return try index.resolve(other).config.hostname }
        return String(id.prefix(12))
    }

    private func mountPoints(_ config: ContainerConfig, _ host: HostSettings) async throws(Failure) -> [MountPoint] {
        var input = MountPlan.Input(
            binds: host.binds, mounts: host.mounts, volumes: config.volumes, tmpfs: Array(host.tmpfs.keys))
        for from in host.volumesFrom {
            let parts = from.split(separator: ":", maxSplits: 1).map(String.init)
            guard let reference = parts.first else { throw Failure(.invalid, "volumes from: empty reference") }
            let other = try index.resolve(reference)
            input.inherited.append((other.withLock { $0.record.mounts }, parts.count == 2 ? parts[1] : ""))
        }
        if input.binds.isEmpty, input.mounts.isEmpty, input.volumes.isEmpty, input.inherited.isEmpty,
            input.tmpfs.isEmpty
        {
            return []
        }
        let sources = Set(host.mounts.filter { $0.type == "bind" }.map(\.source))
        let existing: Set<String> = sources.isEmpty ? [] : try await pool.blocking { sources.filter { exists($0) } }
        return try MountPlan.points(input, anonymousName: { RandomID.make() }, sourceExists: { existing.contains($0) })
    }

    /// The plan for a container as its record stands.
    func plan(_ record: ContainerRecord, hostname: String, nameFilesOf other: String? = nil) -> SandboxPlan {
        let owner = other ?? record.id
        let configuration = configuration
        let index = index
        return SandboxPlan(
            config: record.config, host: record.host, mounts: record.mounts,
            surroundings: SandboxPlan.Surroundings(
                hostname: hostname,
                cgroup: { parent throws(Failure) in try configuration.cgroups.group(of: record.id, below: parent) },
                hostsPath: configuration.hostsPath(ofContainer: owner),
                hostnamePath: configuration.hostnamePath(ofContainer: owner),
                resolvConfPath: configuration.resolvConfPath(ofContainer: owner),
                volumePath: { configuration.mountpoint(ofVolume: $0) },
                pid: { reference throws(Failure) in
                    let state = try index.resolve(reference).state
                    guard state.pid > 0 else {
                        throw Failure(
                            .conflict, "cannot join the namespaces of container \(reference): it is not running")
                    }
                    return state.pid
                }, defaultUlimits: configuration.ulimits))
    }
}
