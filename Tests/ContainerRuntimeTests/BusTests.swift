import CLinux
import DBus
import Linux
import Testing

@testable import ContainerRuntime

/// The connection to systemd, with somebody else at the other end.
@Suite struct BusTests {
    /// What stands at the other end: greets as it is told, and answers each call with what the test gives.
    private struct Peer {
        let path: String

        init(greeting: [String] = ["DATA", "OK 1234"], _ answer: @escaping @Sendable (DBusMessage) -> [UInt8]?) throws {
            let folder = "/tmp/skiff-bus-\(UInt32.random(in: 0...UInt32.max))"
            path = folder + "/private"
            try makeDirectories(folder)
            let directory = try open(folder, O_RDONLY | O_DIRECTORY)
            let listener = try listenForStreams(in: directory.raw, "private", mode: 0o600, group: nil).release()
            try startThread { try? Self.run(listener, greeting, answer) }
        }

        private static func run(
            _ listener: Int32, _ greeting: [String], _ answer: @Sendable (DBusMessage) -> [UInt8]?
        ) throws {
            defer { _ = close(listener) }
            guard let socket = try acceptConnection(listener) else { return }
            try setNonBlocking(socket.raw, false)
            serve(socket.raw, greeting, answer)
        }

        func remove() { try? removeTree(path.split(separator: "/").dropLast().map { "/" + $0 }.joined()) }

        private static func serve(
            _ socket: Int32, _ greeting: [String], _ answer: @Sendable (DBusMessage) -> [UInt8]?
        ) {
            var received: [UInt8] = []
            func more() -> Bool {
                guard let message = try? receiveMessage(socket, limit: 65536), !message.bytes.isEmpty else {
                    return false
                }
                received += message.bytes
                return true
            }
            let begin = Array("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n".utf8)
            while received.count < begin.count { if !more() { return } }
            guard Array(received.prefix(begin.count)) == begin else { return }
            received.removeFirst(begin.count)
            try? writeAll(socket, Array(greeting.map { $0 + "\r\n" }.joined().utf8))
            while true {
                if let length = try? DBusMessage.length(of: Array(received.prefix(16))), received.count >= length,
                    let call = try? DBusMessage(Array(received.prefix(length)))
                {
                    received.removeFirst(length)
                    guard let bytes = answer(call) else { return }
                    guard (try? writeAll(socket, bytes)) != nil else { return }
                } else if !more() {
                    return
                }
            }
        }
    }

    private static func reply(to call: DBusMessage, _ body: [DBusValue] = [], from sender: String? = nil) -> [UInt8] {
        var answer = DBusMessage(.methodReturn, serial: 1, body: body)
        (answer.replySerial, answer.sender) = (call.serial, sender)
        return answer.bytes
    }

    private static func removed(_ job: String, _ result: String, from sender: String? = nil) -> [UInt8] {
        var signal = DBusMessage(
            .signal, serial: 2, body: [.uint32(1), .objectPath(job), .string("a.scope"), .string(result)])
        (signal.path, signal.interface) = ("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
        (signal.member, signal.sender) = ("JobRemoved", sender)
        return signal.bytes
    }

    private func start(
        _ peer: Peer, patience: Int64 = 120_000
    ) throws(BusFailure) {
        let address = BusAddress(path: peer.path, isBus: false)
        var manager = SystemdManager(
            try BusConnection.open(address, deadline: Clock.monotonicMilliseconds() + patience))
        try manager.startTransientUnit("a.scope", [UnitProperty("Delegate", .boolean(true))])
    }

    @Test(arguments: [["DATA", "OK 1234"], ["OK 1234", "ERROR"]])
    func aJobIsWaitedFor(_ greeting: [String]) throws {
        let peer = try Peer(greeting: greeting) { call in
            guard call.member == "StartTransientUnit" else { return Self.reply(to: call) }
            // Others' jobs end before and between.
            return Self.removed("/job/1", "failed") + Self.reply(to: call, [.objectPath("/job/2")])
                + Self.removed("/job/3", "failed") + Self.removed("/job/2", "done")
        }
        defer { peer.remove() }
        try start(peer)
    }

    @Test func aJobThatFailsIsAFailure() throws {
        let peer = try Peer { call in
            guard call.member == "StartTransientUnit" else { return Self.reply(to: call) }
            return Self.reply(to: call, [.objectPath("/job/2")]) + Self.removed("/job/2", "timeout")
        }
        defer { peer.remove() }
        let failure = #expect(throws: BusFailure.self) { try start(peer) }
        #expect(failure?.words.contains("timeout") == true)
    }

    @Test func aRefusalHasItsNameAndWords() throws {
        let peer = try Peer { call in
            guard call.member == "StartTransientUnit" else { return Self.reply(to: call) }
            var answer = DBusMessage(.error, serial: 1, body: [.string("it is there")])
            (answer.replySerial, answer.errorName) = (call.serial, "org.freedesktop.systemd1.UnitExists")
            return answer.bytes
        }
        defer { peer.remove() }
        let failure = #expect(throws: BusFailure.self) { try start(peer) }
        #expect(failure?.name == "org.freedesktop.systemd1.UnitExists")
        #expect(failure?.words.contains("it is there") == true)
    }

    /// Anybody on a bus may send a signal straight to us.
    @Test func aSignalOfAnotherSenderDoesNotCount() throws {
        let peer = try Peer { call in
            guard call.member == "StartTransientUnit" else { return Self.reply(to: call, from: ":1.0") }
            return Self.reply(to: call, [.objectPath("/job/2")], from: ":1.0")
                + Self.removed("/job/2", "done", from: ":1.66") + Self.removed("/job/2", "canceled", from: ":1.0")
        }
        defer { peer.remove() }
        let failure = #expect(throws: BusFailure.self) { try start(peer) }
        #expect(failure?.words.contains("canceled") == true)
    }

    @Test func aPeerThatSaysNothingIsGivenUp() throws {
        let peer = try Peer { _ in [] }
        defer { peer.remove() }
        let failure = #expect(throws: BusFailure.self) { try start(peer, patience: 50) }
        #expect(failure?.failure("a.scope").errno == ETIMEDOUT)
    }

    @Test func aPeerThatHangsUpIsAFailure() throws {
        let peer = try Peer { _ in nil }
        defer { peer.remove() }
        let failure = #expect(throws: BusFailure.self) { try start(peer) }
        #expect(failure?.failure("a.scope").errno == ECONNRESET)
    }

    @Test func aPeerThatLetsNobodyInIsAFailure() throws {
        let peer = try Peer(greeting: ["REJECTED EXTERNAL", "ERROR"]) { _ in nil }
        defer { peer.remove() }
        let failure = #expect(throws: BusFailure.self) { try start(peer) }
        #expect(failure?.words.contains("REJECTED") == true)
    }

    @Test func nonsenseAndWhatIsTooLargeAreRefused() throws {
        let large: [UInt8] = [0x6c, 2, 1, 1, 0, 0, 0, 0x7f, 1, 0, 0, 0, 0, 0, 0, 0]
        for bytes in [[UInt8](repeating: 0x41, count: 64), large] {
            let peer = try Peer { _ in bytes }
            defer { peer.remove() }
            let failure = #expect(throws: BusFailure.self) { try start(peer) }
            #expect(failure?.failure("a.scope").errno == EBADMSG)
        }
    }

    @Test func aFloodOfSignalsEnds() throws {
        let peer = try Peer { _ in (0..<500).flatMap { _ in Self.removed("/job/9", "done") } + Self.flood() }
        defer { peer.remove() }
        #expect(throws: BusFailure.self) { try start(peer) }
    }

    private static func flood() -> [UInt8] { (0..<4000).flatMap { _ in removed("/job/9", "done") } }

    @Test func aBusIsGreetedFirst() throws {
        let peer = try Peer { call in
            guard call.member == "Hello" else { return nil }
            return Self.reply(to: call, [.string(":1.5")], from: "org.freedesktop.DBus")
        }
        defer { peer.remove() }
        defer { peer.remove() }
        _ = try BusConnection.open(
            BusAddress(path: peer.path), deadline: Clock.monotonicMilliseconds() + 120_000)
    }
}
