internal import Failures
internal import Linux

/// What a bridge network is on the host.
///
/// Pure: worked out from the network alone.
struct BridgePlan: Sendable, Hashable {
    /// The link's name.
    let name: String
    /// The gateway's address, which the bridge itself has.
    let address: IPv4Prefix
    let mtu: UInt32
    let isInternal: Bool
    /// Leaves the machine with the host's address.
    let translates: Bool
    /// Containers on it reach each other.
    let letsNeighboursTalk: Bool
    /// Where ports are published when nobody says where.
    let publishAddress: IPv4Address?

    var firewalled: FirewalledBridge {
        FirewalledBridge(
            name: name, subnet: address.network, isInternal: isInternal, translates: translates && !isInternal)
    }

    /// nil for networks that are no bridge, or have no subnet yet.
    init?(_ network: Network, mtu: UInt32) throws(Failure) {
        guard network.driver == .bridge, let subnet = network.addressing.subnet,
            let gateway = network.addressing.gateway
        else { return nil }
        name = try Self.linkName(network)
        address = IPv4Prefix(gateway, subnet.length)
        self.mtu = try Self.mtu(network.options) ?? mtu
        isInternal = network.isInternal
        translates = try Self.flag(network.options, BridgeOption.masquerade) ?? true
        letsNeighboursTalk = try Self.flag(network.options, BridgeOption.icc) ?? true
        if let text = network.options[BridgeOption.hostBinding], !text.isEmpty {
            guard let address = IPv4Address(text) else {
                throw Failure(.invalid, "invalid value for \(BridgeOption.hostBinding): \(text) is not an IPv4 address")
            }
            publishAddress = address
        } else {
            publishAddress = nil
        }
    }

    static func linkName(_ network: Network) throws(Failure) -> String {
        guard let name = network.options[BridgeOption.name], !name.isEmpty else { return "br-" + network.id.prefix(12) }
        guard isLinkName(name) else {
            throw Failure(
                .invalid,
                "invalid value for \(BridgeOption.name): \(name): at most 15 letters, digits, '_', '.' and '-'")
        }
        return name
    }

    /// Narrower than the kernel's rule (`dev_valid_name`), since the name goes into files' paths and scripts.
    static func isLinkName(_ name: String) -> Bool {
        (1...15).contains(name.utf8.count) && name != "." && name != ".." && name.first != "-"
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    private static func mtu(_ options: [String: String]) throws(Failure) -> UInt32? {
        guard let text = options[BridgeOption.mtu], !text.isEmpty, text != "0" else { return nil }
        guard let mtu = UInt32(text), (68...65535).contains(mtu) else {
            throw Failure(.invalid, "invalid value for \(BridgeOption.mtu): \(text) is not from 68 to 65535")
        }
        return mtu
    }

    /// The words that Go's `strconv.ParseBool` takes.
    private static func flag(_ options: [String: String], _ key: String) throws(Failure) -> Bool? {
        guard let text = options[key], !text.isEmpty else { return nil }
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        default: throw Failure(.invalid, "invalid value for \(key): \(text) is neither true nor false")
        }
    }
}

/// Docker's names for the options of a bridge network.
enum BridgeOption {
    static let isDefault = "com.docker.network.bridge.default_bridge"
    static let icc = "com.docker.network.bridge.enable_icc"
    static let masquerade = "com.docker.network.bridge.enable_ip_masquerade"
    static let hostBinding = "com.docker.network.bridge.host_binding_ipv4"
    static let name = "com.docker.network.bridge.name"
    static let mtu = "com.docker.network.driver.mtu"
}

/// How this daemon's things are called on the machine, so that several daemons tell theirs apart.
struct InstanceNames: Sendable, Hashable {
    let defaultBridge: String
    /// The nftables table.
    let table: String
    /// How the host's ends of containers' interfaces begin.
    let linkPrefix: String

    init(instance: String, bridgeName: String?) {
        // FNV-1a: spread well, the same in every run, and no secret.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in instance.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        let digits = Array("abcdefghijklmnopqrstuvwxyz234567")
        let tag = String((0..<8).map { digits[Int(hash >> UInt64(5 * $0) & 31)] })
        defaultBridge = bridgeName ?? (instance.isEmpty ? "skiff0" : "skiff-\(tag)")
        table = instance.isEmpty ? "skiff" : "skiff_\(tag)"
        linkPrefix = "sk\(tag.prefix(5))"
    }

    /// The host's end of an endpoint's interface: the prefix and eight digits of the endpoint's id, 15 in all.
    func link(endpoint id: String) -> String { linkPrefix + id.prefix(8) }
}
