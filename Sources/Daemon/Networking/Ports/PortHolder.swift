internal import Failures
internal import Linux

/// A socket that keeps a published port from every other program, and learns whether one has it already.
///
/// No packet comes here: the packet filter leads them to the container first.
enum PortHolder {
    /// Blocking; on the host's thread.
    ///
    /// nil when the kernel has no such transport, so that nobody else can hold the port either.
    static func hold(_ port: UInt16, _ proto: PortProtocol, on address: IPv4Address) throws(SystemError)
        -> SharedDescriptor?
    {
        let transport: InternetSocket.Transport =
            switch proto {
            case .tcp: .tcp
            case .udp: .udp
            case .sctp: .sctp
            }
        let socket: OwnedDescriptor
        do throws(SystemError) { socket = try InternetSocket.make(transport) } catch {
            if proto == .sctp { return nil }
            throw error
        }
        do throws(SystemError) { try InternetSocket.bind(socket.raw, address, port) } catch {
            guard proto == .tcp, error.isAddressInUse else { throw error }
            // Perhaps only old connections linger there: a listening socket may join those, but no other listener.
            let second = try InternetSocket.make(.tcp)
            try InternetSocket.reuseAddress(second.raw)
            try InternetSocket.bind(second.raw, address, port)
            try InternetSocket.listen(second.raw, backlog: 0)
            return SharedDescriptor(second)
        }
        return SharedDescriptor(socket)
    }

    /// A published port, and the socket that holds it.
    struct Held: Sendable {
        let port: PublishedPort
        let socket: SharedDescriptor?
    }

    /// Finds and holds ports for all wishes, or none.
    static func hold(
        _ wishes: [PortRequest], table: inout PortTable, defaultAddress: IPv4Address, ephemeral: ClosedRange<UInt16>
    ) throws(Failure) -> [Held] {
        var held: [Held] = []
        do throws(Failure) {
            for wish in wishes {
                let one = try hold(wish, table: &table, defaultAddress: defaultAddress, ephemeral: ephemeral)
                held.append(one)
            }
            return held
        } catch {
            release(held.map(\.port), table: &table)
            throw error
        }
    }

    static func release(_ ports: [PublishedPort], table: inout PortTable) {
        for port in ports { table.release(port.hostPort, port.proto, on: port.hostIP) }
    }

    private static func hold(
        _ wish: PortRequest, table: inout PortTable, defaultAddress: IPv4Address, ephemeral: ClosedRange<UInt16>
    ) throws(Failure) -> Held {
        let address = wish.hostIP ?? defaultAddress
        let candidates = table.candidates(for: wish.hostPorts, ephemeral: ephemeral)
        var refusal = Failure(.internal, "all ports are allocated")
        for port in candidates {
            guard table.isFree(port, wish.proto, on: address) else {
                refusal = Failure(.internal, alreadyAllocated(address, port))
                continue
            }
            do {
                let socket = try hold(port, wish.proto, on: address)
                table.take(port, wish.proto, on: address)
                if wish.hostPorts == nil { table.gaveRandom(port, ephemeral: ephemeral) }
                return Held(
                    port: PublishedPort(
                        hostIP: address, hostPort: port, containerPort: wish.containerPort, proto: wish.proto),
                    socket: socket)
            } catch {
                refusal = Failure(.internal, taken(address, port, wish.proto, error), cause: error)
                // Only "somebody has it" gets better with another port.
                if !error.isAddressInUse { break }
            }
        }
        throw refusal
    }

    // MARK: Docker's words

    static func alreadyAllocated(_ address: IPv4Address, _ port: UInt16) -> String {
        "Bind for \(address):\(port) failed: port is already allocated"
    }

    static func taken(_ address: IPv4Address, _ port: UInt16, _ proto: PortProtocol, _ error: SystemError) -> String {
        if error.isAddressInUse { return alreadyAllocated(address, port) }
        return "failed to bind host port \(address):\(port)/\(proto.rawValue): \(error.reason)"
    }
}
