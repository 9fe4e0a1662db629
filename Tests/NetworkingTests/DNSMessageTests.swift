import Linux
import Testing

@testable import Networking

@Suite("DNS")
struct DNSMessageTests {
    static func question(_ name: String, type: UInt16 = DNSType.a, id: UInt16 = 0xABCD, flags: UInt16 = 0x0100)
        -> [UInt8]
    {
        [id, flags, 1, 0, 0, 0].flatMap(DNSAnswer.big) + DNSAnswer.encode(name) + DNSAnswer.big(type)
            + DNSAnswer.big(UInt16(1))
    }

    private func query(_ bytes: [UInt8]) throws -> DNSQuery {
        guard case .query(let query) = DNSQuery.read(bytes) else { throw NotAQuery() }
        return query
    }
    private struct NotAQuery: Error {}

    private func table() -> NameTable {
        var table = NameTable()
        table.insert(
            ["web", "www", "0123456789ab"], address: IPv4Address(172, 18, 0, 2), sandbox: "a", network: "n1",
            named: "front")
        table.insert(["web2", "www"], address: IPv4Address(172, 18, 0, 3), sandbox: "b", network: "n1", named: "front")
        table.insert(["db"], address: IPv4Address(172, 19, 0, 2), sandbox: "c", network: "n2", named: "back")
        return table
    }

    @Test("a question is read, its name in lower case")
    func reads() throws {
        let read = try query(Self.question("WeB.Example", type: DNSType.aaaa))
        #expect(read.name == "web.example")
        #expect(read.type == DNSType.aaaa)
        #expect(read.id == 0xABCD)
    }

    @Test("names and aliases are answered on shared networks only, in turn")
    func answers() throws {
        var table = table()
        var firsts: Set<UInt8> = []
        for _ in 0..<2 {
            guard
                case .answer(let bytes) = NameDecision.decide(
                    Self.question("www"), table: &table, networks: ["n1"], mayForward: true, limit: 512)
            else {
                Issue.record("no answer")
                return
            }
            // header 12, question www\0 type class: 9; first record's last octet of the address.
            #expect(bytes[7] == 2)
            #expect(bytes[3] & 0x0F == 0)
            firsts.insert(bytes[12 + 9 + 15])
        }
        #expect(firsts == [2, 3])
        let elsewhere = NameDecision.decide(
            Self.question("db"), table: &table, networks: ["n1"], mayForward: true, limit: 512)
        guard case .forward = elsewhere else {
            Issue.record("another network's name is known")
            return
        }
    }

    @Test("the whole answer, octet by octet")
    func bytes() throws {
        var table = table()
        var expected: [UInt8] = [0xAB, 0xCD, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]
        expected += [3, 119, 101, 98, 0, 0, 1, 0, 1]  // web, A, IN
        expected += [0xC0, 12, 0, 1, 0, 1, 0, 0, 2, 0x58, 0, 4, 172, 18, 0, 2]
        #expect(
            NameDecision.decide(Self.question("web"), table: &table, networks: ["n1"], mayForward: false, limit: 512)
                == .answer(expected))
    }

    @Test("name.network, short ids and reverse look-ups")
    func otherNames() throws {
        var table = table()
        #expect(table.addresses(of: "web.front", on: ["n1"]).map(\.description) == ["172.18.0.2"])
        #expect(table.addresses(of: "0123456789ab", on: ["n1"]).count == 1)
        #expect(table.addresses(of: "web.back", on: ["n1", "n2"]).isEmpty)
        #expect(table.name(of: IPv4Address(172, 18, 0, 3), on: ["n1"]) == "web2.front")
        #expect(table.name(of: IPv4Address(172, 18, 0, 3), on: ["n2"]) == nil)
        let reversed = Self.question("2.0.18.172.in-addr.arpa", type: DNSType.ptr)
        guard
            case .answer(let answer) = NameDecision.decide(
                reversed, table: &table, networks: ["n1"], mayForward: true, limit: 512)
        else {
            Issue.record("no answer")
            return
        }
        let name: [UInt8] = DNSAnswer.encode("web.front")
        #expect(Array(answer.suffix(11)) == name)
    }

    @Test("a known name without that record is no data, and is asked of nobody else")
    func noData() throws {
        var table = table()
        for type: UInt16 in [DNSType.aaaa, 15, 16, 65] {
            let decision = NameDecision.decide(
                Self.question("web", type: type), table: &table, networks: ["n1"], mayForward: true, limit: 512)
            guard case .answer(let bytes) = decision else {
                Issue.record("forwarded type \(type)")
                continue
            }
            #expect(bytes[3] & 0x0F == 0)
            #expect(bytes[7] == 0)
        }
    }

    @Test("nothing leaves an internal network")
    func internalNetwork() throws {
        var table = table()
        guard
            case .answer(let bytes) = NameDecision.decide(
                Self.question("data.evil.example"), table: &table, networks: ["n1"], mayForward: false, limit: 512)
        else {
            Issue.record("the question left")
            return
        }
        #expect(bytes[3] & 0x0F == UInt8(DNSCode.serverFailure.rawValue))
    }

    @Test("names go with their container")
    func removal() {
        var table = table()
        table.remove(sandbox: "a", network: "n1")
        #expect(table.addresses(of: "web", on: ["n1"]).isEmpty)
        #expect(table.addresses(of: "www", on: ["n1"]).map(\.description) == ["172.18.0.3"])
        #expect(table.name(of: IPv4Address(172, 18, 0, 2), on: ["n1"]) == nil)
    }

    @Test("an answer that does not fit is cut at a record and says so")
    func truncation() throws {
        let many = (1...100).map { IPv4Address(10, 0, 0, UInt8($0)) }
        let read = try query(Self.question("www"))
        let answer = DNSAnswer.addresses(many, to: read, limit: 512)
        #expect(answer.count <= 512)
        #expect(answer[2] & 0x02 != 0)
        #expect((answer.count - 12 - read.question.count) % 16 == 0)
        #expect(DNSAnswer.addresses(many, to: read, limit: 65535)[7] == 100)
    }

    @Test("answers are not answered, other requests are refused")
    func otherMessages() {
        var response = Self.question("a")
        response[2] |= 0x80
        #expect(DNSQuery.read(response) == .ignored)
        #expect(DNSQuery.read([]) == .ignored)
        #expect(DNSQuery.read([1, 2, 3]) == .ignored)
        #expect(
            DNSQuery.read(Self.question("a", flags: 0x2800)) == .refused(id: 0xABCD, flags: 0x2800, .notImplemented))
        var two = Self.question("a")
        two[5] = 2
        #expect(DNSQuery.read(two) == .refused(id: 0xABCD, flags: 0x0100, .formatError))
    }

    @Test("names that loop, run over or are too long are refused")
    func badNames() {
        let header: [UInt8] = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        let bad: [[UInt8]] = [
            header + [0xC0, 12, 0, 1, 0, 1],  // points to itself
            header + [1, 97, 0xC0, 12, 0, 1, 0, 1],  // goes round
            header + [0xC0, 0, 0, 1, 0, 1],  // into the header
            header + [63, 97, 0, 0, 1, 0, 1],  // runs over
            header + [0x80, 0, 0, 1, 0, 1],  // no such kind of label
            header + [0, 0, 1],  // cut in the type
            header + Array(repeating: [63] + Array(repeating: UInt8(97), count: 63), count: 4).flatMap { $0 } + [
                0, 0, 1, 0, 1,
            ],
        ]
        for message in bad {
            guard case .refused(_, _, .formatError) = DNSQuery.read(message) else {
                Issue.record("accepted \(message)")
                continue
            }
        }
    }

    @Test("any bytes are decided about without harm")
    func noise() {
        var random = SystemRandomNumberGenerator()
        var table = table()
        let seeds = [
            Self.question("web"), Self.question("2.0.18.172.in-addr.arpa", type: DNSType.ptr),
            Self.question("a.b.c.example"),
        ]
        for round in 0..<20_000 {
            var message = seeds[round % seeds.count]
            for _ in 0..<Int.random(in: 0..<6, using: &random) {
                message[Int.random(in: message.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            message = Array(message.prefix(Int.random(in: 0...message.count, using: &random)))
            if case .answer(let answer) = NameDecision.decide(
                message, table: &table, networks: ["n1"], mayForward: round % 2 == 0, limit: 512)
            {
                #expect(answer.count >= 12 && answer.count <= 512 + message.count)
                #expect(answer[2] & 0x80 != 0)
            }
        }
    }
}
