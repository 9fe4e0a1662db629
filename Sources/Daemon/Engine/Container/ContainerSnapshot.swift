public import OCI

/// Everything about a container at one moment, for inspect and list; a value that does not change under the reader.
public struct ContainerSnapshot: Sendable {
    /// 64 hexadecimal digits.
    public let id: String
    /// Without Docker's leading slash.
    public let name: String
    public let created: Timestamp
    /// The program and its arguments after image and request were merged.
    public let path: String
    public let arguments: [String]
    public let state: ContainerState
    /// The image's id as it was at creation.
    public let image: Digest
    /// What the image gave and the request overrode.
    public let config: ContainerConfig
    public let host: HostSettings
    public let mounts: [MountPoint]
    /// One per network, in the order they were asked for; `host` and `none` have one too.
    public let networks: [NetworkAttachment]
    /// What is bound on the host now; empty while it does not run.
    public let ports: [PortPublication]
    public let restartCount: Int
    /// Where the json-file log is; empty with another driver.
    public let logPath: String
    public let hostnamePath: String
    public let hostsPath: String
    public let resolvConfPath: String
    /// Ids of the execs that have not been forgotten.
    public let execIDs: [String]
    /// The architecture and system of its image.
    public let platform: Platform
    /// The network namespace's key; empty while it does not run.
    public let sandboxID: String
}

/// A port that is open on the host.
public struct PortPublication: Sendable, Hashable {
    public let hostIP: String
    public let hostPort: UInt16
    public let containerPort: UInt16
    /// `tcp` or `udp`.
    public let proto: String

    public init(hostIP: String, hostPort: UInt16, containerPort: UInt16, proto: String) {
        (self.hostIP, self.hostPort, self.containerPort, self.proto) = (hostIP, hostPort, containerPort, proto)
    }
}

/// A container's place in one network: what was asked for and, while it runs, what it got.
public struct NetworkAttachment: Sendable, Hashable {
    public internal(set) var settings: EndpointSettings
    /// The network's name, as `NetworkSettings.Networks` is keyed.
    public internal(set) var networkName: String
    public internal(set) var networkID: String
    public internal(set) var endpointID: String = ""
    public internal(set) var gateway: String = ""
    public internal(set) var address: String = ""
    public internal(set) var prefixLength: Int = 0
    public internal(set) var macAddress: String = ""
    public internal(set) var dnsNames: [String] = []

    public init(settings: EndpointSettings, networkName: String, networkID: String = "") {
        (self.settings, self.networkName, self.networkID) = (settings, networkName, networkID)
    }
}

/// Docker's `MountPoint`: where something is mounted in a container and what it is.
public struct MountPoint: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable { case bind, volume, tmpfs }
    public var kind: Kind
    /// The volume's name; empty for others.
    public var name: String = ""
    /// The path on the host; empty for tmpfs.
    public var source: String = ""
    public var destination: String
    public var driver: String = ""
    /// The third part of a `-v` argument, as given.
    public var mode: String = ""
    public var writable: Bool = true
    public var propagation: String = ""
    /// The host directory is made when it is missing: `-v` does, `--mount` does not.
    var createsSource = false
    /// An empty volume is filled from the image: not with `nocopy`.
    var copiesUp = true
    /// The volume was made for this container and goes with it.
    var isAnonymous = false
    /// A directory of the volume instead of its root.
    var subpath: String = ""
    var tmpfsSize: Int64 = 0
    var tmpfsMode: Int?
    /// The tmpfs options as given to `--tmpfs`.
    var tmpfsOptions: String = ""
    var recursive = true

    init(kind: Kind, destination: String) { (self.kind, self.destination) = (kind, destination) }
}
