internal import DockerAPI
internal import Engine
internal import Failures
internal import Linux
internal import NIOHTTP1
internal import Networking

/// Networks as Docker's clients read and write them.
enum NetworkShape {
    static func inspect(_ network: Network, containers: [String: NetworkContainer]) -> NetworkInspect {
        var answer = NetworkInspect()
        answer.name = network.name
        answer.id = network.id
        answer.created = Timestamp(nanoseconds: network.created).rfc3339
        answer.scope = network.scope
        answer.driver = network.driver.rawValue
        answer.enableIPv4 = true
        var range = IPAMConfig()
        range.subnet = network.addressing.subnet?.description
        range.ipRange = network.addressing.range?.description
        range.gateway = network.addressing.gateway?.description
        let reserved = network.addressing.reserved.mapValues(\.description)
        range.auxiliaryAddresses = reserved.isEmpty ? nil : reserved
        answer.ipam.config = range.subnet == nil ? [] : [range]
        answer.isInternal = network.isInternal
        answer.attachable = network.isAttachable
        answer.containers = containers
        answer.options = network.options
        answer.labels = network.labels
        return answer
    }

    static func container(_ name: String, _ endpoint: Endpoint) -> NetworkContainer {
        var member = NetworkContainer()
        member.name = name
        member.endpointID = endpoint.endpointID
        member.macAddress = endpoint.mac?.description ?? ""
        member.ipv4Address = endpoint.ipv4.map { "\($0)/\(endpoint.prefix)" } ?? ""
        return member
    }

    static func settings(_ body: NetworkCreateRequest) throws(Failure) -> Networking.NetworkSettings {
        guard body.configOnly != true, body.ingress != true else {
            throw Failure(.notImplemented, "config-only and ingress networks need a swarm, which Skiff has not")
        }
        var settings = Networking.NetworkSettings(name: body.name, driver: body.driver ?? "")
        if settings.driver.isEmpty || settings.driver == "default" { settings.driver = "bridge" }
        settings.isInternal = body.isInternal ?? false
        settings.isAttachable = body.attachable ?? false
        settings.enableIPv6 = body.enableIPv6 ?? false
        settings.labels = body.labels ?? [:]
        settings.options = body.options ?? [:]
        if let driver = body.ipam?.driver, !driver.isEmpty, driver != "default" {
            throw Failure(.notFound, "could not find an available IPAM driver named \"\(driver)\"")
        }
        for range in body.ipam?.config ?? [] {
            var addressing = Addressing()
            addressing.subnet = try prefix(range.subnet, "subnet")
            addressing.range = try prefix(range.ipRange, "ip-range")
            addressing.gateway = try address(range.gateway, "gateway")
            for (name, text) in range.auxiliaryAddresses ?? [:] {
                addressing.reserved[name] = try address(text, "auxiliary address")
            }
            settings.addressing.append(addressing)
        }
        return settings
    }

    private static func prefix(_ text: String?, _ what: String) throws(Failure) -> IPv4Prefix? {
        guard let text, !text.isEmpty else { return nil }
        guard let prefix = IPv4Prefix(text) else { throw Failure(.invalid, "invalid \(what): \(text)") }
        return prefix
    }

    private static func address(_ text: String?, _ what: String) throws(Failure) -> IPv4Address? {
        guard let text, !text.isEmpty else { return nil }
        guard let address = IPv4Address(text) else { throw Failure(.invalid, "invalid \(what): \(text)") }
        return address
    }
}

/// Which networks a list is about: any of a key's values, every key.
struct NetworkFilter: Sendable {
    private let filters: Filters
    private let dangling: Bool?

    init(_ filters: Filters) throws(Failure) {
        self.filters = filters
        dangling = try filters.flag("dangling")
        for type in filters["type"] where type != "custom" && type != "builtin" {
            throw Failure(.invalid, "invalid filter: 'type'='\(type)'")
        }
    }

    func matches(_ network: Network, inUse: () -> Bool) -> Bool {
        func any(_ key: String, _ test: (String) -> Bool) -> Bool {
            let values = filters[key]
            return values.isEmpty || values.contains(where: test)
        }
        guard any("name", { network.name.contains($0) }), any("id", { network.id.hasPrefix($0) }),
            any("driver", { network.driver.rawValue == $0 }), any("scope", { network.scope == $0 }),
            any("type", { ($0 == "builtin") == network.isPredefined }), filters.matchesLabels(network.labels)
        else { return false }
        return dangling.map { $0 == (!network.isPredefined && !inUse()) } ?? true
    }
}
