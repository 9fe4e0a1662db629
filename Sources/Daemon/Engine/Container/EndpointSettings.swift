public import Failures
public import JSON

/// What a container asks of one network.
public struct EndpointSettings: Sendable, Hashable {
    /// The network's name or id as given.
    public var network: String
    public var aliases: [String] = []
    public var links: [String] = []
    public var ipv4Address: String?
    public var ipv6Address: String?
    public var macAddress: String?
    public var driverOptions: [String: String] = [:]
    public init(network: String) { self.network = network }

    /// Reads Docker's `EndpointSettings` for the network under whose name it stands.
    public init(network: String, json: JSON) throws(Failure) {
        self.network = network
        let fields = Fields(json)
        aliases = try fields.strings("Aliases")
        links = try fields.strings("Links")
        if let ipam = fields.present("IPAMConfig") {
            let ipam = Fields(ipam)
            let ipv4 = try ipam.text("IPv4Address")
            let ipv6 = try ipam.text("IPv6Address")
            if let address = try ipam.strings("LinkLocalIPs").first {
                throw Failure(.invalid, "link-local address \(address) is not supported: leave it out")
            }
            ipv4Address = ipv4.isEmpty ? nil : ipv4
            ipv6Address = ipv6.isEmpty ? nil : ipv6
        }
        let mac = try fields.text("MacAddress")
        macAddress = mac.isEmpty ? nil : mac
        driverOptions = try fields.dictionary("DriverOpts")
    }

    /// Docker's shape again, for the record.
    public var json: JSON {
        var object = JSONObject()
        if ipv4Address != nil || ipv6Address != nil {
            var ipam = JSONObject()
            if let ipv4Address { ipam["IPv4Address"] = .string(ipv4Address) }
            if let ipv6Address { ipam["IPv6Address"] = .string(ipv6Address) }
            object["IPAMConfig"] = .object(ipam)
        } else {
            object["IPAMConfig"] = .null
        }
        object["Links"] = links.isEmpty ? .null : .strings(links)
        object["Aliases"] = aliases.isEmpty ? .null : .strings(aliases)
        object["MacAddress"] = .string(macAddress ?? "")
        object["DriverOpts"] = driverOptions.isEmpty ? .null : .dictionary(driverOptions)
        return .object(object)
    }
}
