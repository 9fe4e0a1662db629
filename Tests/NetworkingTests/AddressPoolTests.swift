import Failures
import Linux
import Testing

@testable import Networking

@Suite("AddressPool")
struct AddressPoolTests {
    private func pool(_ subnet: String, range: String? = nil, reserved: [String] = []) throws -> AddressPool {
        AddressPool(
            subnet: try #require(IPv4Prefix(subnet)), range: try range.map { try #require(IPv4Prefix($0)) },
            reserved: reserved.compactMap { IPv4Address($0) })
    }

    @Test("gives addresses in order and passes over the gateway")
    func order() throws {
        var pool = try pool("172.17.0.0/16", reserved: ["172.17.0.1"])
        #expect(pool.take()?.description == "172.17.0.2")
        #expect(pool.take()?.description == "172.17.0.3")
    }

    @Test("does not give out again at once what was just freed")
    func freedComesLast() throws {
        var pool = try pool("10.0.0.0/29", reserved: ["10.0.0.1"])
        let taken = pool.take()
        let first = try #require(taken)
        pool.release(first)
        #expect(pool.take()?.description == "10.0.0.3")
        for expected in ["10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.2"] {
            #expect(pool.take()?.description == expected)
        }
        #expect(pool.take() == nil)
        #expect(pool.isFull)
        pool.release(first)
        #expect(pool.take() == first)
    }

    @Test("never gives the network's or the broadcast address")
    func edges() throws {
        var pool = try pool("10.0.0.0/30")
        #expect(pool.take()?.description == "10.0.0.1")
        #expect(pool.take()?.description == "10.0.0.2")
        #expect(pool.take() == nil)
        #expect(pool.take(IPv4Address(10, 0, 0, 0)) == .outside)
        #expect(pool.take(IPv4Address(10, 0, 0, 3)) == .outside)
    }

    @Test("keeps to the range, but lets an address be asked for outside of it")
    func range() throws {
        var pool = try pool("172.28.0.0/16", range: "172.28.5.0/30", reserved: ["172.28.5.1"])
        #expect(pool.take()?.description == "172.28.5.0")
        #expect(pool.take()?.description == "172.28.5.2")
        #expect(pool.take(IPv4Address(172, 28, 9, 9)) == .taken)
        #expect(pool.take(IPv4Address(172, 28, 9, 9)) == .alreadyInUse)
        #expect(pool.take(IPv4Address(172, 29, 0, 1)) == .outside)
        #expect(pool.take()?.description == "172.28.5.3")
        #expect(pool.take() == nil)
    }
}

@Suite("SubnetChoice")
struct SubnetChoiceTests {
    @Test("takes the first of Docker's pools that overlaps nothing")
    func firstFree() {
        #expect(SubnetChoice.choose(from: SubnetPool.standard, avoiding: [])?.description == "172.17.0.0/16")
        let used = ["172.17.0.0/16", "172.18.3.0/24", "172.0.0.0/11"].compactMap { IPv4Prefix($0) }
        #expect(
            SubnetChoice.choose(from: SubnetPool.standard, avoiding: Array(used[..<2]))?.description == "172.19.0.0/16")
        #expect(SubnetChoice.choose(from: SubnetPool.standard, avoiding: used)?.description == "192.168.0.0/20")
    }

    @Test("finds nothing when all is used")
    func exhausted() {
        let all = [IPv4Prefix("172.16.0.0/12"), IPv4Prefix("192.168.0.0/16")].compactMap { $0 }
        #expect(SubnetChoice.choose(from: SubnetPool.standard, avoiding: all) == nil)
    }

    @Test(
        "fills in the gateway",
        arguments: [
            ("172.28.0.0/16", nil, nil, "172.28.0.1"), ("172.28.0.0/16", "172.28.5.0/24", nil, "172.28.5.1"),
            ("10.1.0.0/24", nil, "10.1.0.254", "10.1.0.254"),
        ] as [(String, String?, String?, String)])
    func gateway(subnet: String, range: String?, gateway: String?, expected: String) throws {
        let wish = Addressing(
            subnet: IPv4Prefix(subnet), range: range.flatMap { IPv4Prefix($0) },
            gateway: gateway.flatMap { IPv4Address($0) })
        #expect(try SubnetChoice.complete(wish, network: "n").gateway?.description == expected)
    }

    @Test(
        "refuses what makes no sense",
        arguments: [
            Addressing(subnet: IPv4Prefix("10.0.0.5/24")), Addressing(subnet: IPv4Prefix("10.0.0.0/31")),
            Addressing(subnet: IPv4Prefix("0.0.0.0/0")), Addressing(subnet: IPv4Prefix("127.0.0.0/8")),
            Addressing(subnet: IPv4Prefix("224.0.0.0/24")), Addressing(gateway: IPv4Address("10.0.0.1")),
            Addressing(subnet: IPv4Prefix("10.0.0.0/24"), range: IPv4Prefix("10.0.1.0/24")),
            Addressing(subnet: IPv4Prefix("10.0.0.0/24"), gateway: IPv4Address("10.0.1.1")),
            Addressing(subnet: IPv4Prefix("10.0.0.0/24"), gateway: IPv4Address("10.0.0.255")),
            Addressing(subnet: IPv4Prefix("10.0.0.0/24"), reserved: ["router": IPv4Address(10, 9, 9, 9)]),
        ])
    func refusals(wish: Addressing) {
        #expect(throws: Failure(.invalid, "")) { try SubnetChoice.complete(wish, network: "n") }
    }
}

@Suite("PortTable")
struct PortTableTests {
    @Test("all addresses and one address exclude each other, per transport")
    func conflicts() {
        var table = PortTable()
        let local = IPv4Address.loopback
        let other = IPv4Address(192, 0, 2, 1)
        table.take(80, .tcp, on: local)
        #expect(!table.isFree(80, .tcp, on: local))
        #expect(!table.isFree(80, .tcp, on: .any))
        #expect(table.isFree(80, .tcp, on: other))
        #expect(table.isFree(80, .udp, on: .any))
        table.release(80, .tcp, on: local)
        table.take(80, .tcp, on: .any)
        #expect(!table.isFree(80, .tcp, on: other))
        table.release(80, .tcp, on: .any)
        #expect(table.isFree(80, .tcp, on: other))
    }

    @Test("random ports go round the ephemeral range")
    func random() {
        var table = PortTable()
        #expect(table.candidates(for: nil, ephemeral: 10...12) == [10, 11, 12])
        table.gaveRandom(10, ephemeral: 10...12)
        #expect(table.candidates(for: nil, ephemeral: 10...12) == [11, 12, 10])
        table.gaveRandom(12, ephemeral: 10...12)
        #expect(table.candidates(for: nil, ephemeral: 10...12) == [10, 11, 12])
        #expect(table.candidates(for: 8000...8002, ephemeral: 10...12) == [8000, 8001, 8002])
        #expect(table.candidates(for: 65534...65535, ephemeral: 10...12) == [65534, 65535])
    }
}

@Suite("Addresses as text")
struct AddressTextTests {
    @Test(
        "IPv4 takes dotted quads only",
        arguments: [
            "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.", ".1.2.3", "1.2.3.4 ", "a.b.c.d", "1..2.3",
        ])
    func badAddress(text: String) { #expect(IPv4Address(text) == nil) }

    @Test("IPv4 goes there and back", arguments: ["0.0.0.0", "255.255.255.255", "172.17.0.2", "10.0.0.1"])
    func goodAddress(text: String) { #expect(IPv4Address(text)?.description == text) }

    @Test(
        "prefixes are strict",
        arguments: ["10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/008", "/8", "10.0.0.0/8/8"])
    func badPrefix(text: String) { #expect(IPv4Prefix(text) == nil) }

    @Test("a MAC follows from the address")
    func mac() {
        #expect(MACAddress(derivedFrom: IPv4Address(172, 17, 0, 2)).description == "02:42:ac:11:00:02")
        #expect(MACAddress("02:42:AC:11:00:02")?.description == "02:42:ac:11:00:02")
        for bad in ["", "02:42:ac:11:00", "02:42:ac:11:00:0g", "0242ac110002", "02:42:ac:11:00:+2", "02:42:ac:11:00:2"]
        {
            #expect(MACAddress(bad) == nil, "\(bad)")
        }
        #expect(MACAddress("01:00:5e:00:00:01")?.isMulticast == true)
    }
}
