internal import CLinux
internal import Failures
internal import HTTPServer
internal import Linux

/// Opens the sockets that `-H` names.
struct ListeningSockets {
    /// The group that may use local sockets, beside root.
    let group: UInt32?
    let environment: [String: String]

    func open(_ addresses: [ListenAddress]) throws(Failure) -> [Listener] {
        var listeners: [Listener] = []
        for address in addresses { listeners += try open(address) }
        return listeners
    }

    private func open(_ address: ListenAddress) throws(Failure) -> [Listener] {
        switch address {
        case .unix(let path): [try openLocal(path, address)]
        case .tcp(let host, let port): [try openTCP(host, port, address)]
        case .inherited(let name): try inherited(name)
        }
    }

    /// A socket file that nobody serves is left over from a daemon that was killed; one that somebody serves is not ours
    /// to take.
    private func openLocal(_ path: String, _ address: ListenAddress) throws(Failure) -> Listener {
        if exists(path) {
            if (try? connectStream(toLocal: path)) != nil {
                throw Failure(
                    .conflict, "cannot listen on \(path): another daemon answers there; stop it or use another -H")
            }
            try? unlink(path)
        }
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        let parent = slash == path.startIndex ? "/" : String(path[..<slash])
        do {
            if !exists(parent) { try makeDirectories(parent, mode: 0o711) }
            let directory = try Linux.open(parent, O_RDONLY | O_DIRECTORY)
            let socket = try listenForStreams(
                in: directory.raw, String(path[path.index(after: slash)...]), mode: 0o660, group: group)
            return Listener(descriptor: socket.release(), address: address.description, isRemote: false)
        } catch {
            throw Failure(.internal, "cannot listen on \(path): \(error)", cause: error)
        }
    }

    private func openTCP(_ host: IPv4Address, _ port: UInt16, _ address: ListenAddress) throws(Failure) -> Listener {
        do {
            let socket = try InternetSocket.make(.tcp)
            try InternetSocket.reuseAddress(socket.raw)
            try InternetSocket.bind(socket.raw, host, port)
            try InternetSocket.listen(socket.raw, backlog: 1024)
            return Listener(descriptor: socket.release(), address: address.description, isRemote: true)
        } catch {
            throw Failure(.internal, "cannot listen on \(address): \(error.reason)", cause: error)
        }
    }

    /// systemd's protocol: descriptors from 3 on, as many as `LISTEN_FDS` says, for the process `LISTEN_PID` names.
    private func inherited(_ name: String) throws(Failure) -> [Listener] {
        guard environment["LISTEN_PID"].flatMap({ Int32($0) }) == ownProcess(),
            let count = environment["LISTEN_FDS"].flatMap({ Int32($0) }), (1...64).contains(count)
        else {
            throw Failure(.invalid, "no sockets were passed for fd://: start the daemon by its systemd socket unit")
        }
        let names = (environment["LISTEN_FDNAMES"] ?? "").split(separator: ":", omittingEmptySubsequences: false)
        var listeners: [Listener] = []
        for index in 0..<count {
            let own = Int(index) < names.count ? String(names[Int(index)]) : ""
            guard name.isEmpty || name == own || name == String(index + 3) else { continue }
            listeners.append(
                Listener(
                    descriptor: index + 3, address: "fd://\(own.isEmpty ? String(index + 3) : own)", isRemote: false))
        }
        guard !listeners.isEmpty else { throw Failure(.invalid, "no socket named \"\(name)\" was passed for fd://") }
        return listeners
    }
}
