internal import DockerAPI
internal import EngineClient
internal import Failures
internal import JSON

/// `skiff network create`.
enum CreateNetwork {
    private static let driver = Option<String?>.text(
        "driver", short: "d", "Driver to manage the Network", defaultText: "\"bridge\"")
    private static let options = Option<[String]>.list(
        "opt", short: "o", "Set driver specific options", placeholder: "map")
    private static let labels = Option<[String]>.list("label", "Set metadata on a network")
    private static let isInternal = Option<Bool>.flag("internal", "Restrict external access to the network")
    private static let attachable = Option<Bool>.flag("attachable", "Enable manual container attachment")
    private static let ipv6 = Option<Bool?>.optionalFlag("ipv6", "Enable or disable IPv6 address assignment")
    private static let ipv4 = Option<Bool?>.optionalFlag("ipv4", "Enable or disable IPv4 address assignment")
    private static let ipamDriver = Option<String?>.text("ipam-driver", "IP Address Management Driver")
    private static let ipamOptions = Option<[String]>.list(
        "ipam-opt", "Set IPAM driver specific options", placeholder: "map")
    private static let subnets = Option<[String]>.list(
        "subnet", "Subnet in CIDR format that represents a network segment", placeholder: "strings")
    private static let ranges = Option<[String]>.list(
        "ip-range", "Allocate container ip from a sub-range", placeholder: "strings")
    private static let gateways = Option<[String]>.list(
        "gateway", "IPv4 or IPv6 Gateway for the master subnet", placeholder: "strings")

    static let verb = Verb(
        "create", "Create a network", usage: "[OPTIONS] NETWORK",
        options: [
            driver, options, labels, isInternal, attachable, ipv4, ipv6, ipamDriver, ipamOptions, subnets, ranges,
            gateways,
        ], arguments: 1...1
    ) { invocation throws(Failure) in
        var request: JSON = ["Name": .string(invocation.arguments[0]), "CheckDuplicate": true]
        request["Driver"] = .string(invocation[driver] ?? "bridge")
        request["Internal"] = .bool(invocation[isInternal])
        request["Attachable"] = .bool(invocation[attachable])
        request["EnableIPv4"] = invocation[ipv4].map { .bool($0) }
        request["EnableIPv6"] = invocation[ipv6].map { .bool($0) }
        request["Options"] = JSON(pairs(invocation[options]))
        request["Labels"] = JSON(pairs(invocation[labels]))
        request["IPAM"] = [
            "Driver": .string(invocation[ipamDriver] ?? "default"), "Options": JSON(pairs(invocation[ipamOptions])),
            "Config": .array(try pools(invocation)),
        ]
        let answer = try invocation.engine().json(Request(.post, "/networks/create", body: .json(request)))
        if let warning = answer["Warning"]?.stringValue, !warning.isEmpty {
            invocation.console.error("WARNING: \(warning)")
        }
        invocation.console.print(answer["Id"]?.stringValue ?? "")
        return .success
    }

    static func pairs(_ lines: [String]) -> [String: String] {
        Dictionary(lines.map { keyValue($0) }.map { ($0.name, $0.value) }) { $1 }
    }

    /// One pool per subnet; ranges and gateways go to the subnets in their order.
    private static func pools(_ invocation: Invocation) throws(Failure) -> [JSON] {
        let subnets = invocation[subnets].flatMap { $0.split(separator: ",").map(String.init) }
        let ranges = invocation[ranges].flatMap { $0.split(separator: ",").map(String.init) }
        let gateways = invocation[gateways].flatMap { $0.split(separator: ",").map(String.init) }
        guard ranges.count <= subnets.count, gateways.count <= subnets.count else {
            throw Failure(.invalid, "every ip-range or gateway must have a corresponding subnet")
        }
        return subnets.enumerated().map { position, subnet in
            var pool: JSON = ["Subnet": .string(subnet)]
            if ranges.indices.contains(position) { pool["IPRange"] = .string(ranges[position]) }
            if gateways.indices.contains(position) { pool["Gateway"] = .string(gateways[position]) }
            return pool
        }
    }
}
