internal import Failures
internal import Linux
internal import Networking

/// What a container's settings mean for its network.
///
/// Pure.
enum NetworkPlan {
    /// The other container whose network is shared (`container:<ref>`).
    static func sharedWith(_ mode: String) -> String? {
        mode.hasPrefix("container:") ? String(mode.dropFirst("container:".utf8.count)) : nil
    }

    /// One attachment per network, the one that the mode names first.
    static func attachments(
        host: HostSettings, config: ContainerConfig, endpoints: [EndpointSettings]
    ) throws(Failure) -> [NetworkAttachment] {
        let mode = host.networkMode
        if sharedWith(mode) != nil { return [] }
        var rest = endpoints.map { endpoint in
            var endpoint = endpoint
            if endpoint.network == "default" { endpoint.network = "bridge" }
            return endpoint
        }
        var primary = EndpointSettings(network: mode)
        if let index = rest.firstIndex(where: { $0.network == mode }) { primary = rest.remove(at: index) }
        if let mac = config.macAddress, primary.macAddress == nil { primary.macAddress = mac }
        if mode == "host" || mode == "none" {
            guard primary.aliases.isEmpty else {
                throw Failure(.invalid, "network-scoped aliases are only supported for user-defined networks")
            }
            guard rest.isEmpty else {
                throw Failure(
                    .invalid, "conflicting options: cannot attach both user-defined and non-user-defined network-modes")
            }
        }
        return ([primary] + rest).map { NetworkAttachment(settings: $0, networkName: $0.network) }
    }

    static func request(
        id: String, name: String, hostname: String, config: ContainerConfig, host: HostSettings,
        networks: [NetworkAttachment],
        extraHosts: [String] = []
    ) throws(Failure) -> SandboxRequest {
        let bare = host.networkMode == "host" || host.networkMode == "none" || config.networkDisabled
        return SandboxRequest(
            id: id, name: name, hostname: hostname, domainName: config.domainname,
            mode: host.networkMode == "host" ? .host : .isolated,
            endpoints: bare ? [] : try networks.map { attachment throws(Failure) in try endpoint(attachment.settings) },
            ports: bare ? [] : try ports(host.portBindings),
            publishAll: bare || !host.publishAllPorts ? [] : try unbound(config.exposedPorts, host.portBindings),
            dns: DNSSettings(servers: host.dns, search: host.dnsSearch, options: host.dnsOptions),
            extraHosts: host.extraHosts + extraHosts)
    }

    static func endpoint(_ settings: EndpointSettings) throws(Failure) -> EndpointRequest {
        var ipv4: IPv4Address?
        if let text = settings.ipv4Address {
            guard let address = IPv4Address(text) else { throw Failure(.invalid, "invalid IPv4 address: \(text)") }
            ipv4 = address
        }
        if settings.ipv6Address != nil {
            throw Failure(.notImplemented, "networks have no IPv6 yet: leave the IPv6 address out")
        }
        var mac: MACAddress?
        if let text = settings.macAddress {
            guard let address = MACAddress(text) else { throw Failure(.invalid, "invalid MAC address: \(text)") }
            mac = address
        }
        return EndpointRequest(network: settings.network, aliases: settings.aliases, ipv4: ipv4, mac: mac)
    }

    /// `80/tcp` → requests, sorted so that the same settings always ask in the same order.
    static func ports(_ bindings: [String: [PortBinding]]) throws(Failure) -> [PortRequest] {
        var requests: [PortRequest] = []
        for (key, list) in bindings.sorted(by: { $0.key < $1.key }) {
            let exposed = try port(key)
            // An empty list means "somewhere".
            for binding in list.isEmpty ? [PortBinding(hostIP: "", hostPort: "")] : list {
                var address: IPv4Address?
                if !binding.hostIP.isEmpty {
                    guard let parsed = IPv4Address(binding.hostIP) else {
                        // An IPv6 twin of an IPv4 wildcard is what docker-proxy would add; it asks for nothing we lack.
                        if binding.hostIP == "::" { continue }
                        throw Failure(
                            .invalid, "invalid IP address \(binding.hostIP) to publish port \(key) on: IPv4 only")
                    }
                    address = parsed
                }
                requests.append(
                    PortRequest(
                        hostIP: address, hostPorts: try range(binding.hostPort, key), containerPort: exposed.port,
                        proto: exposed.proto))
            }
        }
        return requests
    }

    /// The exposed ports that nobody bound by hand: what `-P` publishes.
    private static func unbound(_ exposed: [String], _ bindings: [String: [PortBinding]]) throws(Failure)
        -> [ExposedPort]
    {
        let bound = Set(try bindings.keys.map { key throws(Failure) in try port(key) })
        return try exposed.map { key throws(Failure) in try port(key) }.filter { !bound.contains($0) }
    }

    static func port(_ text: String) throws(Failure) -> ExposedPort {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let number = UInt16(parts[0]), number > 0 else {
            throw Failure(.invalid, "invalid port specification: \"\(text)\"")
        }
        guard let proto = PortProtocol(rawValue: parts.count == 2 ? parts[1].lowercased() : "tcp") else {
            throw Failure(.invalid, "invalid proto: \(parts[1])")
        }
        return ExposedPort(number, proto)
    }

    private static func range(_ text: String, _ port: String) throws(Failure) -> ClosedRange<UInt16>? {
        if text.isEmpty || text == "0" { return nil }
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = UInt16(parts[0]), let last = parts.count == 2 ? UInt16(parts[1]) : first,
            first <= last,
            first > 0
        else { throw Failure(.invalid, "invalid hostPort: \"\(text)\" for \(port)") }
        return first...last
    }
}
