internal import CLinux
internal import JSON
internal import Linux

/// The process that makes a mount namespace and a root for CRIU, and then becomes CRIU.
///
/// CRIU mounts in the images' directory while it works, so it must be opened in that namespace. It is named to CRIU by a number
/// of whoever made the socket: that is this child as well, and so CRIU itself.
struct RestoreChild {
    let program: CRIUProgram
    let root: RestoreRoot
    let settings: CRIUSettings
    /// What CRIU is given from ``firstNamespace`` on.
    let namespaces: [SharedDescriptor]

    /// CRIU's numbers behind its streams: its socket, the directories, namespaces.
    private static let socket: Int32 = 3
    static let images: Int32 = 4
    static let work: Int32 = 5
    static let firstNamespace: Int32 = 6

    /// CRIU, ready to be asked.
    struct Begun: ~Copyable {
        let exchange: CRIUExchange
        /// Of the destinations; see ``RestoreRoot/prepare(_:)``.
        let places: [String?]
    }

    /// Makes the child in the container's cgroup.
    func start(
        in cgroup: Cgroup, destinations: [String]
    ) throws(RuntimeFailure) -> Begun {
        let membership = try step(.cgroup) { () throws(SystemError) in try cgroup.membership() }
        let ends = try step(.checkpoint) { () throws(SystemError) in try SocketPair(.messages).release() }
        let ours = OwnedDescriptor(owning: ends.first), theirs = OwnedDescriptor(owning: ends.second)
        let environment = ownEnvironment()
        let cloned = try step(.namespaces) { () throws(SystemError) in
            try Linux.clone(.mount, cgroup: membership.birthplace)
        }
        if cloned.isChild { become(membership, destinations, environment, tell: theirs.raw) }
        // Without this the end of a child that says nothing would never be seen.
        let raw = ours.raw
        _ = consume theirs
        let process = PidFD(owning: OwnedDescriptor(owning: cloned.pidfd))
        do throws(RuntimeFailure) {
            let message = try step(.checkpoint) { () throws(SystemError) in try receiveMessage(raw, limit: 1 << 17) }
            guard var message else {
                throw RuntimeFailure(.checkpoint, "the process that was to become criu ended at once")
            }
            let socket = message.descriptors.take()
            guard let list = try? JSON.parse(message.bytes).arrayValue, let socket else {
                throw RuntimeFailure(record: message.bytes)
                    ?? RuntimeFailure(.checkpoint, "unexpected message from the process that was to become criu")
            }
            return Begun(exchange: CRIUExchange(socket: socket, process: process), places: list.map(\.stringValue))
        } catch {
            try? process.send(SIGKILL)
            _ = try? process.wait()
            throw error
        }
    }

    /// In the child.
    private func become(
        _ membership: Cgroup.Membership, _ destinations: [String], _ environment: [String], tell parent: Int32
    ) -> Never {
        do throws(RuntimeFailure) {
            try step(.cgroup) { () throws(SystemError) in try membership.join() }
            // Before the root is put anywhere: nothing of it may lie on the way.
            let directories = try ImageDirectories(settings, creating: false)
            let places = try root.prepare(destinations)
            try step(.checkpoint) { () throws(SystemError) in
                let ends = try SocketPair(.messages).release()
                try sendMessage(
                    parent, JSON.array(places.map { $0.map(JSON.string) ?? .null }).serialized(),
                    descriptors: [ends.first])
                try resetSignals()
                let images = directories.images.raw
                try number([ends.second, images, directories.work?.raw ?? images] + namespaces.map(\.raw))
            }
            let failure = execute(program.path, arguments: CRIUExchange.arguments, environment: environment)
            try? writeAll(2, "\(failure)\n")
        } catch {
            try? sendMessage(parent, error.record)
        }
        exitNow(1)
    }

    /// Puts descriptors under CRIU's numbers and has all others closed by `exec`.
    private func number(_ descriptors: [Int32]) throws(SystemError) {
        let end = Self.socket + Int32(descriptors.count)
        // Each may lie where another one belongs: all are lifted above first.
        var lifted: [Int32] = []
        for raw in descriptors { lifted.append(try duplicate(raw, atLeast: end).release()) }
        for (offset, raw) in lifted.enumerated() { try install(raw, as: Self.socket + Int32(offset)) }
        try closeOnExec(from: end)
    }
}
