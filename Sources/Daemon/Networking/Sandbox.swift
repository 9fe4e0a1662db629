public import Linux

/// The network side of one container: what it shall be connected to, and which of its ports the host answers for.
public struct SandboxRequest: Sendable, Hashable, Codable {
    /// The container's id: 64 hexadecimal digits; its first 12 are a name on user-defined networks.
    public var id: String
    /// The container's name, without a slash; a name on user-defined networks.
    public var name: String
    public var hostname: String
    public var domainName: String
    public var mode: SandboxMode
    /// In the order of the interfaces, eth0 first.
    ///
    /// Empty with `.isolated` is `--network none`.
    public var endpoints: [EndpointRequest]
    public var ports: [PortRequest]
    /// What `-P` publishes on random ports of the host; empty without `-P`.
    public var publishAll: [ExposedPort]
    public var dns: DNSSettings
    /// `name:address` as `--add-host` has it; the address `host-gateway` is the default bridge's.
    public var extraHosts: [String]

    public init(
        id: String, name: String = "", hostname: String = "", domainName: String = "", mode: SandboxMode = .isolated,
        endpoints: [EndpointRequest] = [], ports: [PortRequest] = [], publishAll: [ExposedPort] = [],
        dns: DNSSettings = DNSSettings(),
        extraHosts: [String] = []
    ) {
        self.id = id
        self.name = name
        self.hostname = hostname
        self.domainName = domainName
        self.mode = mode
        self.endpoints = endpoints
        self.ports = ports
        self.publishAll = publishAll
        self.dns = dns
        self.extraHosts = extraHosts
    }
}

/// Whose network namespace a container lives in.
public enum SandboxMode: String, Sendable, Hashable, Codable {
    /// One of its own.
    case isolated
    /// The host's.
    case host
}

/// A wish to be connected to one network.
public struct EndpointRequest: Sendable, Hashable, Codable {
    /// Name, id or unique start of an id.
    public var network: String
    /// Further names on that network.
    public var aliases: [String]
    public var ipv4: IPv4Address?
    public var mac: MACAddress?
    /// The highest one gives the default route (the API's `GwPriority`).
    public var gatewayPriority: Int

    public init(
        network: String, aliases: [String] = [], ipv4: IPv4Address? = nil, mac: MACAddress? = nil,
        gatewayPriority: Int = 0
    ) {
        self.network = network
        self.aliases = aliases
        self.ipv4 = ipv4
        self.mac = mac
        self.gatewayPriority = gatewayPriority
    }
}

/// A transport with ports.
public enum PortProtocol: String, Sendable, Hashable, Codable, CaseIterable {
    case tcp
    case udp
    case sctp
}

/// A port of the container, `80/tcp`.
public struct ExposedPort: Sendable, Hashable, Codable {
    public var port: UInt16
    public var proto: PortProtocol

    public init(_ port: UInt16, _ proto: PortProtocol = .tcp) {
        self.port = port
        self.proto = proto
    }
}

/// A wish to reach a container's port through the host's.
public struct PortRequest: Sendable, Hashable, Codable {
    /// One address of the host, or all (nil, 0.0.0.0).
    public var hostIP: IPv4Address?
    /// The first free one is taken; nil is any from the ephemeral range.
    public var hostPorts: ClosedRange<UInt16>?
    public var containerPort: UInt16
    public var proto: PortProtocol

    public init(
        hostIP: IPv4Address? = nil, hostPorts: ClosedRange<UInt16>? = nil, containerPort: UInt16,
        proto: PortProtocol = .tcp
    ) {
        self.hostIP = hostIP
        self.hostPorts = hostPorts
        self.containerPort = containerPort
        self.proto = proto
    }
}

/// A port of the host that leads to a container.
public struct PublishedPort: Sendable, Hashable, Codable {
    /// 0.0.0.0 for all addresses.
    public var hostIP: IPv4Address
    public var hostPort: UInt16
    public var containerPort: UInt16
    public var proto: PortProtocol

    public init(hostIP: IPv4Address, hostPort: UInt16, containerPort: UInt16, proto: PortProtocol) {
        self.hostIP = hostIP
        self.hostPort = hostPort
        self.containerPort = containerPort
        self.proto = proto
    }
}

/// Where a container's look-ups go when the user says so; empty parts are the host's.
public struct DNSSettings: Sendable, Hashable, Codable {
    /// Addresses, IPv4 or IPv6.
    public var servers: [String]
    public var search: [String]
    public var options: [String]

    public init(servers: [String] = [], search: [String] = [], options: [String] = []) {
        self.servers = servers
        self.search = search
        self.options = options
    }
}

/// One interface of a container in one network.
public struct Endpoint: Sendable, Hashable, Codable {
    public var networkID: String
    public var networkName: String
    /// 64 hexadecimal digits.
    public var endpointID: String
    /// nil on the `host` and `none` networks, which have no addresses.
    public var ipv4: IPv4Address?
    /// The length of the network part; 0 without an address.
    public var prefix: Int
    /// nil on internal networks too, where there is nowhere to go.
    public var gateway: IPv4Address?
    public var mac: MACAddress?
    /// In the container: `eth0`; empty without an interface.
    public var interface: String
    /// Its other end on the host.
    public var hostInterface: String
    public var aliases: [String]
    /// Every name the network's DNS has for it.
    public var dnsNames: [String]
    public var gatewayPriority: Int
}

/// A container's network as it stands.
public struct NetworkSandbox: Sendable {
    /// The container's id.
    public let id: String
    /// The namespace to start the container in; nil is the host's own.
    public let namespace: SharedDescriptor?
    public let endpoints: [Endpoint]
    public let ports: [PublishedPort]
    /// What `/etc/hosts`, `/etc/resolv.conf` and `/etc/hostname` hold; after `connect` and `disconnect` the caller writes them anew, in place.
    public let files: NameFiles
}

/// What the engine knows of a container that ran when the daemon went away.
public struct RecoveredSandbox: Sendable, Hashable, Codable {
    public var id: String
    /// A process in the container's network namespace.
    public var pid: Int32
    public var request: SandboxRequest
    public var endpoints: [Endpoint]
    public var ports: [PublishedPort]

    public init(id: String, pid: Int32, request: SandboxRequest, endpoints: [Endpoint], ports: [PublishedPort]) {
        self.id = id
        self.pid = pid
        self.request = request
        self.endpoints = endpoints
        self.ports = ports
    }
}
