internal import DockerAPI
internal import Failures

/// What `-p` and `--expose` say, in Docker's grammar: `[ip:][hostPort[-end]:]containerPort[-end][/protocol]`, or
/// `target=80,published=8080,protocol=tcp`.
struct PortSpec: Sendable, Hashable {
    var hostIP = ""
    /// Nil for a port of the engine's choice.
    var hostPorts: ClosedRange<UInt16>?
    var containerPorts: ClosedRange<UInt16>
    var transport = "tcp"

    init(parsing text: String) throws(Failure) {
        if text.contains("="), !text.contains("/") || text.contains("target=") {
            self = try Self.longForm(text)
            return
        }
        let (address, transport) = try Self.splitTransport(text)
        self.transport = transport
        var rest = address[...]
        if rest.hasPrefix("[") {
            guard let close = rest.firstIndex(of: "]"), rest[close...].hasPrefix("]:") else {
                throw Failure(.invalid, "invalid IP address: \(text)")
            }
            hostIP = String(rest[rest.index(after: rest.startIndex)..<close])
            rest = rest[rest.index(close, offsetBy: 2)...]
        }
        var parts = rest.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let container = parts.removeLast()
        guard !container.isEmpty else { throw Failure(.invalid, "no port specified: \(text)<empty>") }
        containerPorts = try Self.range(container, "containerPort")
        if let host = parts.popLast(), !host.isEmpty { hostPorts = try Self.range(host, "hostPort") }
        if !parts.isEmpty { hostIP = parts.joined(separator: ":") }
        try checkLengths()
    }

    /// `80`, `8000-8010/udp`: ports without a place on the host.
    init(exposing text: String) throws(Failure) {
        guard !text.contains(":") else { throw Failure(.invalid, "invalid port format for --expose: \(text)") }
        let (ports, transport) = try Self.splitTransport(text)
        self.transport = transport
        do { containerPorts = try Self.range(ports, "port") } catch {
            throw Failure(.invalid, "invalid range format for --expose: \(text), error: \(error.message)")
        }
    }

    private static func longForm(_ text: String) throws(Failure) -> PortSpec {
        var fields: [String: String] = [:]
        for field in text.split(separator: ",") {
            let pair = field.split(separator: "=", maxSplits: 1).map(String.init)
            guard pair.count == 2, ["target", "published", "protocol", "mode", "host_ip"].contains(pair[0]) else {
                throw Failure(.invalid, "invalid field \(field) in port \(text)")
            }
            fields[pair[0]] = pair[1]
        }
        guard let target = fields["target"] else { throw Failure(.invalid, "port \(text) needs a target") }
        let published = fields["published"].map { "\($0):" } ?? ""
        var spec = try PortSpec(parsing: "\(published)\(target)/\(fields["protocol"] ?? "tcp")")
        spec.hostIP = fields["host_ip"] ?? ""
        return spec
    }

    private static func splitTransport(_ text: String) throws(Failure) -> (String, String) {
        guard let slash = text.lastIndex(of: "/") else { return (text, "tcp") }
        let transport = text[text.index(after: slash)...].lowercased()
        guard ["tcp", "udp", "sctp"].contains(transport) else {
            throw Failure(.invalid, "invalid proto: \(transport)")
        }
        return (String(text[..<slash]), transport)
    }

    private static func range(_ text: String, _ what: String) throws(Failure) -> ClosedRange<UInt16> {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first <= last else {
            throw Failure(.invalid, "invalid \(what): \(text)")
        }
        return first...last
    }

    private func checkLengths() throws(Failure) {
        guard let hostPorts, hostPorts.count != containerPorts.count, containerPorts.count > 1 else { return }
        throw Failure(
            .invalid,
            "invalid ranges specified for container and host Ports: "
                + "\(containerPorts.lowerBound)-\(containerPorts.upperBound) and "
                + "\(hostPorts.lowerBound)-\(hostPorts.upperBound)")
    }

    /// The container's ports with their places on the host: "80/tcp" and what binds it.
    var bindings: [(port: String, binding: PortBinding)] {
        containerPorts.map { port in
            var binding = PortBinding()
            binding.hostIP = hostIP
            if let hostPorts {
                // One container port and a range of host ports: the engine takes the first that is free.
                binding.hostPort =
                    containerPorts.count == 1 && hostPorts.count > 1
                    ? "\(hostPorts.lowerBound)-\(hostPorts.upperBound)"
                    : "\(hostPorts.lowerBound + (port - containerPorts.lowerBound))"
            }
            return ("\(port)/\(transport)", binding)
        }
    }

    /// The container's ports alone: "80/tcp".
    var names: [String] { containerPorts.map { "\($0)/\(transport)" } }
}
