internal import EngineClient
internal import Failures
internal import JSON

/// `skiff port`.
enum ShowPorts {
    static let verb = Verb(
        "port", "List port mappings or a specific mapping for the container", usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
        arguments: 1...2
    ) { invocation throws(Failure) in
        let name = invocation.arguments[0]
        let container = try invocation.engine().json(Request(.get, "\(ContainerRun.path(name))/json"))
        let ports = container["NetworkSettings"]?["Ports"]?.objectValue ?? [:]
        guard invocation.arguments.count == 2 else {
            let lines = ports.sorted().flatMap { port, bindings in places(bindings).map { "\(port) -> \($0)" } }
            for line in lines { invocation.console.print(line) }
            return .success
        }
        let wanted = invocation.arguments[1]
        guard UInt16(wanted.prefix { $0 != "/" }) != nil else {
            throw Failure(.invalid, "Error: invalid port (\(wanted)): want a number, as in 80 or 53/udp")
        }
        let port = wanted.contains("/") ? wanted.lowercased() : "\(wanted)/tcp"
        let found = places(ports[port] ?? .null)
        guard !found.isEmpty else {
            throw Failure(.notFound, "Error: No public port '\(wanted)' published for \(name)")
        }
        for place in found { invocation.console.print(place) }
        return .success
    }

    /// "0.0.0.0:8080", "[::]:8080".
    private static func places(_ bindings: JSON) -> [String] {
        (bindings.arrayValue ?? []).map { binding in
            let address = binding["HostIp"]?.stringValue ?? ""
            let host = address.contains(":") ? "[\(address)]" : address
            return "\(host):\(binding["HostPort"]?.stringValue ?? "")"
        }
    }
}
