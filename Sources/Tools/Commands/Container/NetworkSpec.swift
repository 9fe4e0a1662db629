internal import DockerAPI
internal import Failures

/// What `--network` says: a name, or `name=net,alias=web,ip=10.0.0.5`.
struct NetworkSpec: Sendable, Hashable {
    var name: String
    var aliases: [String] = []
    var ip: String?
    var ip6: String?
    var macAddress: String?
    var options: [String: String] = [:]

    init(name: String) { self.name = name }

    init(parsing text: String) throws(Failure) {
        guard text.contains("=") else {
            self.init(name: text)
            return
        }
        self.init(name: "")
        for field in try MountSpec.fields(text) {
            let (key, value) = keyValue(field)
            switch key.lowercased() {
            case "name": name = value
            case "alias": aliases.append(value)
            case "ip": ip = value
            case "ip6": ip6 = value
            case "mac-address": macAddress = value
            case "driver-opt":
                let (option, setting) = keyValue(value)
                options[option] = setting
            default: throw Failure(.invalid, "invalid field \(field) in network \(text)")
            }
        }
        guard !name.isEmpty else { throw Failure(.invalid, "network name missing in \(text)") }
    }

    mutating func add(aliases: [String], ip: String?, ip6: String?, macAddress: String?) {
        self.aliases += aliases
        self.ip = self.ip ?? ip
        self.ip6 = self.ip6 ?? ip6
        self.macAddress = self.macAddress ?? macAddress
    }

    /// Whether settings can go with it: a mode such as `host` has none, and the default needs none said.
    var isNamed: Bool {
        let isMode = ["host", "none"].contains(name) || name.hasPrefix("container:")
        return !isMode && (name != "default" || self != NetworkSpec(name: "default"))
    }

    var settings: EndpointSettings {
        var settings = EndpointSettings()
        settings.aliases = aliases.nonEmpty
        settings.macAddress = macAddress ?? ""
        settings.driverOptions = options.isEmpty ? nil : options
        if ip != nil || ip6 != nil {
            var addresses = EndpointIPAMConfig()
            addresses.ipv4Address = ip
            addresses.ipv6Address = ip6
            settings.ipamConfig = addresses
        }
        return settings
    }
}
