internal import JSON

/// The ports of a container as `ps` shows them: "0.0.0.0:8080->80/tcp, 443/tcp", neighbours gathered into ranges.
enum PortList {
    private struct Entry: Hashable {
        var host: String
        var publicPort: Int
        var privatePort: Int
        var transport: String
        /// How many ports in a row.
        var count = 1

        func continues(_ previous: Entry) -> Bool {
            host == previous.host && transport == previous.transport
                && privatePort == previous.privatePort + previous.count
                && (publicPort == 0 ? previous.publicPort == 0 : publicPort == previous.publicPort + previous.count)
        }

        var text: String {
            let inside = Self.range(privatePort, count)
            if publicPort == 0 { return "\(inside)/\(transport)" }
            let address = host.contains(":") ? "[\(host)]" : host
            return "\(address):\(Self.range(publicPort, count))->\(inside)/\(transport)"
        }

        private static func range(_ first: Int, _ count: Int) -> String {
            count == 1 ? String(first) : "\(first)-\(first + count - 1)"
        }
    }

    static func text(_ ports: [JSON]) -> String {
        let entries = ports.map { port in
            Entry(
                host: port["IP"]?.stringValue ?? "", publicPort: Int(port["PublicPort"]?.intValue ?? 0),
                privatePort: Int(port["PrivatePort"]?.intValue ?? 0), transport: port["Type"]?.stringValue ?? "tcp")
        }
        // By address first, so that a range stands together, then in the order in which Docker shows them.
        let sorted = entries.sorted {
            ($0.host, $0.transport, $0.privatePort, $0.publicPort)
                < ($1.host, $1.transport, $1.privatePort, $1.publicPort)
        }
        var gathered: [Entry] = []
        for entry in sorted {
            if let last = gathered.last, entry.continues(last) {
                gathered[gathered.count - 1].count += 1
            } else if gathered.last != entry {
                gathered.append(entry)
            }
        }
        let shown = gathered.sorted {
            ($0.privatePort, $0.transport, $0.host, $0.publicPort)
                < ($1.privatePort, $1.transport, $1.host, $1.publicPort)
        }
        return shown.map(\.text).joined(separator: ", ")
    }
}
