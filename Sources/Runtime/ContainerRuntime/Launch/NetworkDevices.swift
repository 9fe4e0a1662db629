internal import CLinux
internal import Linux
internal import OCI

/// Interfaces of the host that become a container's, with the addresses they had.
///
/// See config-linux.md, "Network Devices". They are looked up before there is a process, moved by the parent once the
/// process is in its network namespace, and set up by the process itself.
struct PreparedNetworkDevices: Sendable {
    struct Device: Sendable, Equatable {
        var name: String
        /// Its name in the container.
        var inside: String
    }

    private let devices: [(device: Device, index: Int32, addresses: [PortableAddress])]

    /// What a document asks for, checked.
    static func plan(_ asked: [String: String], ownNamespace: Bool) throws(RuntimeFailure) -> [Device] {
        if asked.isEmpty { return [] }
        guard ownNamespace else {
            throw RuntimeFailure(
                .specification, "linux.netDevices: the container has no network namespace of its own to move them to")
        }
        var devices: [Device] = []
        for (name, given) in asked.sorted(by: { $0.key < $1.key }) {
            let inside = given.isEmpty ? name : given
            for text in [name, inside] {
                let bytes = text.utf8
                guard (1...15).contains(bytes.count), text != ".", text != "..",
                    bytes.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") })
                else { throw RuntimeFailure(.specification, "linux.netDevices: \"\(text)\" is not an interface name") }
            }
            if devices.contains(where: { $0.inside == inside }) {
                throw RuntimeFailure(.specification, "linux.netDevices: two interfaces would be named \(inside)")
            }
            devices.append(Device(name: name, inside: inside))
        }
        return devices
    }

    init(_ planned: [Device]) throws(RuntimeFailure) {
        devices = try step(.namespaces) { () throws(SystemError) in
            var socket = try NetlinkSocket()
            let all = try socket.portableAddresses()
            var found: [(Device, Int32, [PortableAddress])] = []
            for device in planned {
                guard let link = try socket.link(named: device.name) else {
                    throw SystemError.noSuchDevice("linux.netDevices: \(device.name)")
                }
                found.append((device, link.index, all.filter { $0.index == link.index }))
            }
            return found
        }
    }

    /// Moves them into the namespace a process is in.
    func move(to pid: pid_t) throws(RuntimeFailure) {
        try step(.namespaces) { () throws(SystemError) in
            var socket = try NetlinkSocket()
            for (device, index, _) in devices {
                do throws(SystemError) {
                    try socket.transact([RouteMessage.moveLink(index, toNamespaceOf: pid, name: device.inside)])
                } catch { throw error.about("\(device.name) to \(device.inside)") }
            }
        }
    }

    /// In that process: gives them their addresses back and brings them up.
    func setUp() throws(RuntimeFailure) {
        try step(.namespaces) { () throws(SystemError) in
            var socket = try NetlinkSocket()
            for (device, _, addresses) in devices {
                guard let link = try socket.link(named: device.inside) else {
                    throw SystemError.noSuchDevice(device.inside)
                }
                try socket.transact(addresses.map { $0.added(to: link.index) } + [RouteMessage.setUp(link.index)])
            }
        }
    }
}
