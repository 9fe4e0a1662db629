internal import CLinux
internal import DBus
internal import Linux

/// A connection to a bus, or to the manager itself: calls, their answers, and the signals that come between.
///
/// One thread, one call at a time; nothing is waited for beyond the deadline of the connection. See the D-Bus specification,
/// "Authentication Protocol" and "Message Bus Messages".
struct BusConnection: ~Copyable {
    private let socket: OwnedDescriptor
    private let name: String
    private let isBus: Bool
    /// On the clock of ``Clock/monotonicMilliseconds()``.
    private let deadline: Int64
    private var received: [UInt8] = []
    private var serial: UInt32 = 0
    /// What came while an answer was waited for, the oldest first.
    private var signals: [DBusMessage] = []

    /// The most signals kept: a peer that sends more before it answers is not the one that was asked for.
    private static let mostSignals = 4096

    /// Connects and is let in.
    static func open(_ address: BusAddress, deadline: Int64) throws(BusFailure) -> BusConnection {
        var bus = BusConnection(address, try connect(address), deadline: deadline)
        try bus.authenticate()
        if address.isBus {
            _ = try bus.call(
                "Hello", of: "org.freedesktop.DBus", at: "/org/freedesktop/DBus", to: "org.freedesktop.DBus")
        }
        return bus
    }

    private init(_ address: BusAddress, _ socket: consuming OwnedDescriptor, deadline: Int64) {
        self.socket = socket
        name = address.path
        isBus = address.isBus
        self.deadline = deadline
    }

    private static func connect(_ address: BusAddress) throws(BusFailure) -> OwnedDescriptor {
        do throws(SystemError) {
            let socket = try connectStream(toLocal: address.path, isAbstract: address.isAbstract, timeout: 5000)
            try setNonBlocking(socket.raw)
            return socket
        } catch {
            throw .broken(error)
        }
    }

    /// An answer's values, and who gave it.
    struct Answer {
        var values: [DBusValue]
        var sender: String?
    }

    /// Calls a method and waits for its answer.
    ///
    mutating func call(
        _ member: String, of interface: String, at path: String, to destination: String, _ body: [DBusValue] = []
    ) throws(BusFailure) -> Answer {
        serial += 1
        var message = DBusMessage(.methodCall, serial: serial, body: body)
        (message.path, message.interface, message.member) = (path, interface, member)
        message.destination = destination
        try send(message.bytes)
        while true {
            let answer = try next(member)
            switch answer.kind {
            case .methodReturn where answer.replySerial == serial:
                return Answer(values: answer.body, sender: answer.sender)
            case .error where answer.replySerial == serial:
                throw .refused(answer.errorName ?? "", answer.body.first?.text ?? "", of: member)
            case .signal:
                guard signals.count < Self.mostSignals else { throw failure("it sends nothing but signals") }
                signals.append(answer)
            default: break
            }
        }
    }

    /// Has a bus pass on signals that match a rule; the manager itself sends what it has to everybody.
    mutating func listen(_ rule: String) throws(BusFailure) {
        guard isBus else { return }
        _ = try call(
            "AddMatch", of: "org.freedesktop.DBus", at: "/org/freedesktop/DBus", to: "org.freedesktop.DBus",
            [.string(rule)])
    }

    /// The next signal of that name, of those that came already and then of those to come.
    mutating func signal(_ member: String) throws(BusFailure) -> DBusMessage {
        while true {
            let message = signals.isEmpty ? try next(member) : signals.removeFirst()
            if message.kind == .signal, message.member == member { return message }
        }
    }

    // MARK: Bytes

    /// The kernel tells who we are: no name is given, so that a user namespace between the two does not matter.
    ///
    /// All is sent at once, and no call before the answers: systemd leaves a call lie that it reads together with `BEGIN`.
    private mutating func authenticate() throws(BusFailure) {
        try send(Array("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n".utf8))
        // "DATA" and "OK"; from who needs no second word "OK" and "ERROR".
        let lines = [try line(), try line()]
        guard lines.contains(where: { $0.hasPrefix("OK") }) else {
            throw failure("it does not let this user in: \(lines[0])", EACCES)
        }
    }

    private mutating func line() throws(BusFailure) -> String {
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                let line = received[..<end].filter { $0 != UInt8(ascii: "\r") }
                received.removeSubrange(...end)
                return String(decoding: line, as: UTF8.self)
            }
            guard received.count < 4096 else { throw failure("it does not speak D-Bus") }
            try receive("the greeting")
        }
    }

    private mutating func next(_ member: String) throws(BusFailure) -> DBusMessage {
        while true {
            do throws(DBusFault) {
                if let length = try DBusMessage.length(of: Array(received.prefix(16))), received.count >= length {
                    let message = try DBusMessage(Array(received.prefix(length)))
                    received.removeFirst(length)
                    return message
                }
            } catch {
                throw failure("it sent \(error)", EBADMSG)
            }
            try receive(member)
        }
    }

    private mutating func receive(_ what: String) throws(BusFailure) {
        while true {
            try wait(for: Int16(POLLIN), what)
            do throws(SystemError) {
                guard let message = try receiveMessage(socket.raw, limit: 16384), !message.bytes.isEmpty else {
                    throw SystemError("recvmsg", errno: ECONNRESET, subject: name)
                }
                received += message.bytes
                return
            } catch {
                if error.errno != EAGAIN { throw .broken(error.about(name)) }
            }
        }
    }

    private func send(_ bytes: [UInt8]) throws(BusFailure) {
        var sent = 0
        while sent < bytes.count {
            do throws(SystemError) { sent += try sendSome(socket.raw, bytes, from: sent) } catch {
                guard error.errno == EAGAIN else { throw .broken(error.about(name)) }
                try wait(for: Int16(POLLOUT), "the call")
            }
        }
    }

    private func wait(for events: Int16, _ what: String) throws(BusFailure) {
        while true {
            let left = deadline - Clock.monotonicMilliseconds()
            guard left > 0 else { throw failure("no answer to \(what) in time", ETIMEDOUT) }
            do throws(SystemError) {
                if try poll([(socket.raw, events)], timeout: Int32(clamping: left))[0] != 0 { return }
            } catch {
                throw .broken(error)
            }
        }
    }

    private func failure(_ text: String, _ errno: Int32 = EPROTO) -> BusFailure {
        .broken(SystemError("D-Bus", errno: errno, subject: "at \(name): \(text)"))
    }
}

/// Why a call has no answer.
enum BusFailure: Error {
    /// The other side says no: the error's name and its words.
    case refused(String, String, of: String)
    case broken(SystemError)

    /// The name of a refusal.
    var name: String? { if case .refused(let name, _, _) = self { name } else { nil } }

    var words: String {
        switch self {
        case .refused(let name, let text, let member): "\(member) is refused: \(text.isEmpty ? name : text)"
        case .broken(let error): error.description
        }
    }

    /// - Parameter unit: what the call was about.
    func failure(_ unit: String) -> RuntimeFailure {
        if case .broken(let error) = self {
            return RuntimeFailure(.cgroup, "systemd and \(unit): \(words)", errno: error.errno)
        }
        return RuntimeFailure(.cgroup, "systemd and \(unit): \(words)", errno: EREMOTEIO)
    }
}
