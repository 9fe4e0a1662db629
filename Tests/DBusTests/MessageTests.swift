import DBus
import Testing

@Suite struct MessageTests {
    /// The first message of the protocol, byte for byte as the specification lays it out.
    @Test func aCallIsTheBytesOfTheSpecification() throws {
        var message = DBusMessage(.methodCall, serial: 1, body: [.uint32(7)])
        (message.path, message.member) = ("/a", "B")
        let expected: [UInt8] =
            [0x6c, 1, 0, 1, 4, 0, 0, 0, 1, 0, 0, 0, 39, 0, 0, 0]
            + [1, 0x01, 0x6f, 0, 2, 0, 0, 0, 0x2f, 0x61, 0, 0, 0, 0, 0, 0]
            + [3, 0x01, 0x73, 0, 1, 0, 0, 0, 0x42, 0, 0, 0, 0, 0, 0, 0]
            + [8, 0x01, 0x67, 0, 1, 0x75, 0, 0] + [7, 0, 0, 0]
        #expect(message.bytes == expected)
        #expect(try DBusMessage(expected) == message)
    }

    @Test func theOtherByteOrderIsRead() throws {
        let bytes: [UInt8] =
            [0x42, 2, 1, 1, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0, 16]
            + [5, 1, 0x75, 0, 0, 0, 0, 3] + [8, 1, 0x67, 0, 2, 0x6e, 0x75, 0]
            + [0xff, 0xfe, 0, 0, 0, 0, 1, 0]
        let message = try DBusMessage(bytes)
        #expect(message.kind == .methodReturn)
        #expect(message.serial == 9)
        #expect(message.replySerial == 3)
        #expect(message.body == [.int16(-2), .uint32(256)])
    }

    @Test(arguments: MessageTests.messages) func whatIsWrittenIsReadTheSame(_ message: DBusMessage) throws {
        let bytes = message.bytes
        #expect(try DBusMessage.length(of: Array(bytes.prefix(16))) == bytes.count)
        #expect(try DBusMessage(bytes) == message)
    }

    @Test func aMessageIsCutNowhere() throws {
        for message in Self.messages {
            let bytes = message.bytes
            for count in 0..<bytes.count {
                #expect(throws: DBusFault.self) { try DBusMessage(Array(bytes.prefix(count))) }
            }
            #expect(throws: DBusFault.self) { try DBusMessage(bytes + [0]) }
        }
    }

    @Test func fewerThanSixteenBytesSayNoLength() throws {
        #expect(try DBusMessage.length(of: []) == nil)
        #expect(try DBusMessage.length(of: [UInt8](repeating: 0xff, count: 15)) == nil)
        #expect(throws: DBusFault.self) { try DBusMessage.length(of: [UInt8](repeating: 0xff, count: 16)) }
    }

    @Test(arguments: [(4, 0xffff_ffff), (12, 0xffff_ffff), (4, 1 << 20), (12, 1 << 26)])
    func aLengthBeyondTheLimitIsRefusedBeforeAnythingIsRead(_ place: Int, _ value: UInt32) throws {
        var bytes = Self.messages[0].bytes
        withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(place..<place + 4, with: $0) }
        #expect(throws: DBusFault.self) { try DBusMessage.length(of: Array(bytes.prefix(16))) }
    }

    @Test func aKindOfALaterVersionIsReadAndHasNoName() throws {
        var bytes = Self.messages[1].bytes
        bytes[1] = 9
        #expect(try DBusMessage(bytes).kind == nil)
        bytes[1] = 0
        #expect(throws: DBusFault.self) { try DBusMessage(bytes) }
    }

    @Test func brokenValuesAreRefused() throws {
        // The body of a reply with one value, changed in one byte.
        func reply(_ value: DBusValue, _ change: (inout [UInt8], Int) -> Void) -> [UInt8] {
            var message = DBusMessage(.methodReturn, serial: 1, body: [value])
            message.replySerial = 1
            var bytes = message.bytes
            var body = DBusMessage(.methodReturn, serial: 1, body: [])
            body.replySerial = 1
            change(&bytes, bytes.count)
            return bytes
        }
        let broken = [
            reply(.boolean(true)) { $0[$1 - 4] = 2 },
            reply(.string("ab")) { $0[$1 - 1] = 1 },
            reply(.string("ab")) { $0[$1 - 2] = 0 },
            reply(.string("ab")) { $0[$1 - 2] = 0xff },
            reply(.string("ab")) { $0[$1 - 7] = 0xff },
            reply(.objectPath("/a/b")) { $0[$1 - 2] = UInt8(ascii: "/") },
            reply(.signature("aay")) { $0[$1 - 2] = UInt8(ascii: "a") },
            reply(.array(of: .uint64, [.uint64(1)])) { $0[$1 - 12] = 1 },
            reply(.array(of: .uint64, [.uint64(1)])) { $0[$1 - 16] = 9 },
        ]
        for bytes in broken { #expect(throws: DBusFault.self) { try DBusMessage(bytes) } }
    }

    @Test func variantsInVariantsHaveALimit() throws {
        func nested(_ depth: Int) -> DBusMessage {
            var value = DBusValue.byte(1)
            for _ in 0..<depth { value = .variant(value) }
            var message = DBusMessage(.methodReturn, serial: 1, body: [value])
            message.replySerial = 1
            return message
        }
        #expect(try DBusMessage(nested(64).bytes) == nested(64))
        #expect(throws: DBusFault.self) { try DBusMessage(nested(65).bytes) }
    }

    static let messages: [DBusMessage] = {
        var call = DBusMessage(
            .methodCall, serial: 4,
            body: [
                .string("skiff-a.scope"), .string("replace"),
                .array(
                    of: .structure([.string, .variant]),
                    [
                        .structure([.string("PIDs"), .variant(.array(of: .uint32, [.uint32(7)]))]),
                        .structure([.string("AllowedCPUs"), .variant(.bytes([3, 0, 255]))]),
                        .structure([.string("Delegate"), .variant(.boolean(true))]),
                        .structure([.string("MemoryMax"), .variant(.uint64(.max))]),
                    ]),
                .array(of: .structure([.string, .array(.structure([.string, .variant]))]), []),
            ])
        (call.path, call.interface, call.member) = ("/org/x", "org.x.Manager", "StartTransientUnit")
        call.destination = "org.x"
        var signal = DBusMessage(
            .signal, serial: 900, body: [.uint32(5), .objectPath("/org/x/job/5"), .string("é"), .string("done")])
        (signal.path, signal.interface, signal.member) = ("/org/x", "org.x.Manager", "JobRemoved")
        signal.sender = ":1.0"
        var error = DBusMessage(.error, serial: 2, body: [.string("no")])
        (error.errorName, error.replySerial) = ("org.x.NoSuchUnit", 4)
        var all = DBusMessage(
            .methodReturn, serial: 3,
            body: [
                .byte(1), .int16(-2), .uint16(2), .int32(-3), .double(0.5), .int64(-4), .signature("a{sv}"),
                .array(of: .entry(.string, .variant), [.entry(.string("k"), .variant(.uint64(1)))]), .unixFD(0),
                .structure([.byte(1), .structure([.uint64(2)])]), .array(of: .array(.byte), []), .objectPath("/"),
            ])
        all.replySerial = 4
        return [call, signal, error, all]
    }()
}
