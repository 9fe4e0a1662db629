internal import Linux

/// Who has which name on which network.
///
/// Pure.
struct NameTable: Sendable {
    private struct Entry: Sendable {
        let sandbox: String
        let address: IPv4Address
    }

    /// One network's names.
    private struct Zone: Sendable {
        var name: String
        var entries: [String: [Entry]] = [:]
        /// The first name of each address.
        var owners: [IPv4Address: String] = [:]
    }

    private var zones: [String: Zone] = [:]
    private var turn = 0

    mutating func insert(
        _ names: [String], address: IPv4Address, sandbox: String, network id: String, named networkName: String
    ) {
        var zone = zones[id] ?? Zone(name: networkName.lowercased())
        for name in names where !name.isEmpty {
            zone.entries[name.lowercased(), default: []].append(Entry(sandbox: sandbox, address: address))
        }
        zone.owners[address] = names.first
        zones[id] = zone
    }

    mutating func remove(sandbox: String, network id: String) {
        guard var zone = zones[id] else { return }
        for (name, entries) in zone.entries {
            let gone = entries.filter { $0.sandbox == sandbox }
            guard !gone.isEmpty else { continue }
            for entry in gone { zone.owners[entry.address] = nil }
            let left = entries.filter { $0.sandbox != sandbox }
            zone.entries[name] = left.isEmpty ? nil : left
        }
        zones[id] = zone.entries.isEmpty ? nil : zone
    }

    /// The addresses of `name` or `name.network` on the networks, each time beginning with another; empty when nobody has it.
    mutating func addresses(of name: String, on networks: [String]) -> [IPv4Address] {
        var found: [IPv4Address] = []
        for id in networks {
            guard let zone = zones[id] else { continue }
            var entries = zone.entries[name] ?? []
            let suffix = "." + zone.name
            if entries.isEmpty, name.hasSuffix(suffix) {
                entries = zone.entries[String(name.dropLast(suffix.count))] ?? []
            }
            for entry in entries where !found.contains(entry.address) { found.append(entry.address) }
        }
        guard found.count > 1 else { return found }
        turn &+= 1
        let shift = Int(UInt(bitPattern: turn) % UInt(found.count))
        return Array(found[shift...] + found[..<shift])
    }

    /// `name.network` of an address.
    func name(of address: IPv4Address, on networks: [String]) -> String? {
        for id in networks {
            if let zone = zones[id], let owner = zone.owners[address] { return "\(owner).\(zone.name)" }
        }
        return nil
    }
}
