public import Linux

/// How a daemon's networks shall be; decided once, at start.
public struct NetworkingConfiguration: Sendable {
    /// Tells several daemons on one machine apart: part of the names of links and tables.
    ///
    /// Empty for the default data root; else any text that is stable over restarts, such as the data root's path.
    public var instance: String
    /// The default bridge's address with prefix length (`--bip`).
    public var bridgeAddress: IPv4Prefix?
    /// The default bridge's name; nil is `skiff0`, or one with the instance in it.
    public var bridgeName: String?
    /// Where subnets are taken from when none is asked for.
    public var pools: [SubnetPool]
    /// The MTU of the default bridge; nil is the smallest of 1500 and that of the host's way out.
    public var mtu: Int?
    /// `--dns`, `--dns-search`, `--dns-opt` of the daemon.
    public var dns: DNSSettings
    /// The default for published ports without an address (`--ip`).
    public var publishAddress: IPv4Address
    /// What `host-gateway` stands for in `--add-host`; nil is the default bridge's address.
    public var hostGateway: String?
    /// Namespaces kept ready, so that a start does not wait for the kernel to make one.
    public var spareNamespaces: Int
    /// The host's resolver settings; another file in tests.
    public var resolvConfPath: String
    /// The network namespace to take for the host; nil is the daemon's own.
    ///
    /// For tests, whose host then is a world of its own.
    public var hostNamespace: SharedDescriptor?

    public init(instance: String = "") {
        self.instance = instance
        pools = SubnetPool.standard
        dns = DNSSettings()
        publishAddress = .any
        spareNamespaces = 2
        resolvConfPath = "/etc/resolv.conf"
    }
}

/// A range that is cut into subnets of one size.
public struct SubnetPool: Sendable, Hashable {
    public var base: IPv4Prefix
    /// The prefix length of each subnet.
    public var size: Int

    public init(base: IPv4Prefix, size: Int) {
        self.base = base
        self.size = size
    }

    /// Docker's: 172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/16 in parts of /20.
    public static let standard: [SubnetPool] =
        (17...31).map { SubnetPool(base: IPv4Prefix(IPv4Address(172, $0, 0, 0), 16), size: 16) }
        + [SubnetPool(base: IPv4Prefix(IPv4Address(192, 168, 0, 0), 16), size: 20)]
}
