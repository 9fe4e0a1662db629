internal import DockerAPI
internal import Engine
internal import Images
internal import JSON
internal import Linux
internal import OCI

/// Containers as Docker's clients read them.
struct ContainerShape: Sendable {
    let images: ImageStore

    // MARK: Lists

    func summary(_ container: ContainerSnapshot, version: APIVersion, now: Timestamp) -> ContainerSummary {
        var line = ContainerSummary()
        line.id = container.id
        line.names = ["/" + container.name]
        line.image = shownImage(container)
        line.imageID = container.image.description
        line.command = Self.command(container.path, container.arguments)
        line.created = container.created.seconds
        line.ports = Self.ports(container)
        line.labels = container.config.labels
        line.state = container.state.status.rawValue
        line.status = StatusText.text(container.state, now: now)
        line.hostConfig.networkMode = container.host.networkMode
        line.networkSettings.networks = Self.networks(container, version: version)
        line.mounts = container.mounts.map(Self.mount)
        return line
    }

    /// The name asked for, unless it has moved to another image or is gone: then the id.
    private func shownImage(_ container: ContainerSnapshot) -> String {
        guard let now = try? images.resolve(container.config.image), now.id == container.image else {
            return container.image.description
        }
        return container.config.image
    }

    /// The command in one line, arguments with spaces in quotes.
    static func command(_ path: String, _ arguments: [String]) -> String {
        ([path] + arguments.map { $0.contains(" ") ? "'\($0)'" : $0 }).joined(separator: " ")
    }

    private static func ports(_ container: ContainerSnapshot) -> [PortSummary] {
        guard container.state.isRunning else { return [] }
        var ports = container.ports.map { port in
            var line = PortSummary()
            line.ip = port.hostIP
            line.privatePort = port.containerPort
            line.publicPort = port.hostPort
            line.type = port.proto
            return line
        }
        for (number, proto) in container.config.exposedPorts.compactMap(PortName.parse)
        where !container.ports.contains(where: { $0.containerPort == number && $0.proto == proto }) {
            var line = PortSummary()
            line.privatePort = number
            line.type = proto
            ports.append(line)
        }
        return ports.sorted {
            ($0.privatePort, $0.type, $0.publicPort ?? 0, $0.ip ?? "")
                < ($1.privatePort, $1.type, $1.publicPort ?? 0, $1.ip ?? "")
        }
    }

    static func mount(_ mount: Engine.MountPoint) -> DockerAPI.MountPoint {
        var point = DockerAPI.MountPoint()
        point.type = mount.kind.rawValue
        point.name = mount.name.isEmpty ? nil : mount.name
        point.source = mount.source
        point.destination = mount.destination
        point.driver = mount.driver.isEmpty ? nil : mount.driver
        point.mode = mount.mode
        point.rw = mount.writable
        point.propagation = mount.propagation
        return point
    }

    // MARK: Inspect

    func inspect(_ container: ContainerSnapshot, version: APIVersion) -> ContainerInspect {
        var answer = ContainerInspect()
        answer.id = container.id
        answer.created = container.created.rfc3339
        answer.path = container.path
        answer.args = container.arguments
        answer.state = Self.state(container.state)
        answer.image = container.image.description
        answer.resolvConfPath = container.resolvConfPath
        answer.hostnamePath = container.hostnamePath
        answer.hostsPath = container.hostsPath
        answer.logPath = container.logPath
        answer.name = "/" + container.name
        answer.restartCount = container.restartCount
        answer.driver = "overlayfs"
        answer.platform = container.platform.os
        answer.execIDs = container.execIDs.isEmpty ? .null : JSON(container.execIDs)
        answer.hostConfig = .object(container.host.json)
        let apparmor = "apparmor="
        answer.appArmorProfile =
            container.host.securityOptions.last { $0.hasPrefix(apparmor) }
            .map { String($0.dropFirst(apparmor.count)) } ?? ""
        var driver = GraphDriver()
        driver.name = "overlayfs"
        answer.graphDriver = driver
        answer.mounts = container.mounts.map(Self.mount)
        answer.config = container.config.json
        answer.networkSettings = Self.networkSettings(container, version: version)
        if let descriptor = images.image(container.image)?.descriptor {
            answer.imageManifestDescriptor = try? JSONCoder.tree(descriptor)
        }
        return answer
    }

    private static func state(_ state: Engine.ContainerState) -> DockerAPI.ContainerState {
        var answer = DockerAPI.ContainerState()
        answer.status = state.status.rawValue
        answer.running = state.isRunning
        answer.paused = state.isPaused
        answer.restarting = state.isRestarting
        answer.oomKilled = state.oomKilled
        answer.dead = state.isDead
        answer.pid = Int(state.pid)
        answer.exitCode = state.exitCode
        answer.error = state.error
        answer.startedAt = state.startedAt.rfc3339
        answer.finishedAt = state.finishedAt.rfc3339
        if let health = state.health {
            var shown = Health()
            shown.status = health.status.rawValue
            shown.failingStreak = health.failingStreak
            shown.log = health.log.map { probe in
                var line = DockerAPI.HealthProbe()
                line.start = probe.start.rfc3339
                line.end = probe.end.rfc3339
                line.exitCode = probe.exitCode
                line.output = probe.output
                return line
            }
            answer.health = shown
        }
        return answer
    }

    private static func networkSettings(_ container: ContainerSnapshot, version: APIVersion) -> NetworkSettings {
        var answer = NetworkSettings()
        answer.sandboxID = container.sandboxID
        if container.state.isRunning { answer.ports = publishedPorts(container) }
        answer.networks = networks(container, version: version)
        // The default bridge stands at the top too, for clients of old versions.
        if let bridge = answer.networks["bridge"] {
            answer.endpointID = bridge.endpointID
            answer.gateway = bridge.gateway
            answer.ipAddress = bridge.ipAddress
            answer.ipPrefixLength = bridge.ipPrefixLength
            answer.macAddress = bridge.macAddress
        }
        return answer
    }

    private static func publishedPorts(_ container: ContainerSnapshot) -> [String: [DockerAPI.PortBinding]?] {
        var ports: [String: [DockerAPI.PortBinding]?] = [:]
        for exposed in container.config.exposedPorts { ports.updateValue(nil, forKey: exposed) }
        for port in container.ports {
            var binding = DockerAPI.PortBinding()
            binding.hostIP = port.hostIP
            binding.hostPort = String(port.hostPort)
            let key = "\(port.containerPort)/\(port.proto)"
            ports.updateValue(((ports[key] ?? nil) ?? []) + [binding], forKey: key)
        }
        return ports
    }

    private static func networks(_ container: ContainerSnapshot, version: APIVersion) -> [String: DockerAPI
        .EndpointSettings]
    {
        var networks: [String: DockerAPI.EndpointSettings] = [:]
        for attachment in container.networks {
            var endpoint = DockerAPI.EndpointSettings()
            let asked = attachment.settings
            if asked.ipv4Address != nil || asked.ipv6Address != nil {
                var addresses = EndpointIPAMConfig()
                addresses.ipv4Address = asked.ipv4Address
                addresses.ipv6Address = asked.ipv6Address
                endpoint.ipamConfig = addresses
            }
            endpoint.links = asked.links.isEmpty ? nil : asked.links
            // Below 1.45 the short id counted as an alias.
            let aliases = asked.aliases + (version < APIVersion(1, 45) ? [String(container.id.prefix(12))] : [])
            endpoint.aliases = aliases.isEmpty ? nil : aliases
            endpoint.driverOptions = asked.driverOptions.isEmpty ? nil : asked.driverOptions
            endpoint.networkID = attachment.networkID
            endpoint.endpointID = attachment.endpointID
            endpoint.gateway = attachment.gateway
            endpoint.ipAddress = attachment.address
            endpoint.ipPrefixLength = attachment.prefixLength
            endpoint.macAddress = attachment.macAddress
            endpoint.dnsNames = attachment.dnsNames.isEmpty ? nil : attachment.dnsNames
            networks[attachment.networkName] = endpoint
        }
        return networks
    }
}

/// A port as `Config.ExposedPorts` names it: `80/tcp`.
enum PortName {
    static func parse(_ text: String) -> (number: UInt16, proto: String)? {
        let parts = text.split(separator: "/", maxSplits: 1)
        guard let number = parts.first.flatMap({ UInt16($0) }) else { return nil }
        return (number, parts.count > 1 ? String(parts[1]) : "tcp")
    }
}
