import Linux
import Testing

/// What goes over the wire, octet by octet, as a little-endian machine writes it.
@Suite("Netlink")
struct NetlinkBytesTests {
    private func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func bytes(_ hex: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var high: UInt8?
        for digit in hex.compactMap(\.hexDigitValue) {
            if let first = high {
                bytes.append(first << 4 | UInt8(digit))
                high = nil
            } else {
                high = UInt8(digit)
            }
        }
        return bytes
    }

    @Test("a bridge")
    func bridge() throws {
        let mac = try #require(MACAddress("02:42:01:02:03:04"))
        let message = RouteMessage.makeBridge("skiff0", address: mac, mtu: 1400).finished(
            sequence: 7, acknowledge: true)
        #expect(
            hex(message)
                == "54000000" + "1000" + "0506" + "07000000" + "00000000"  // header: RTM_NEWLINK, create|exclusive|request|ack
                + "00000000000000000000000000000000"  // ifinfomsg
                + "0b000300" + "736b6966663000" + "00"  // IFLA_IFNAME, padded
                + "08000400" + "78050000"  // IFLA_MTU
                + "0a000100" + "024201020304" + "0000"  // IFLA_ADDRESS, padded
                + "10001200" + "0b000100" + "62726964676500" + "00")  // IFLA_LINKINFO { IFLA_INFO_KIND bridge }
    }

    @Test("a veth pair carries its other end inside, with a header of its own")
    func veth() throws {
        let pair = RouteMessage.VethPair(
            name: "skab", bridge: 3, peerName: "eth0", peerAddress: MACAddress(derivedFrom: IPv4Address(172, 17, 0, 2)),
            peerNamespace: 9,
            mtu: 1500)
        let peer =
            "00000000000000000100000001000000"  // ifinfomsg, up
            + "09000300" + "6574683000" + "000000"  // IFLA_IFNAME
            + "08000400" + "dc050000" + "0a000100" + "0242ac110002" + "0000"  // IFLA_MTU, IFLA_ADDRESS
            + "08001c00" + "09000000"  // IFLA_NET_NS_FD
        let data = "3c000100" + peer  // VETH_INFO_PEER
        let info = "09000100" + "7665746800" + "000000" + "40000200" + data
        #expect(
            hex(RouteMessage.makeVeth(pair).finished(sequence: 1, acknowledge: true))
                == "94000000" + "10000506" + "0100000000000000" + "00000000000000000000000000000000"
                + "09000300" + "736b616200" + "000000" + "08000400" + "dc050000" + "08000a00" + "03000000" + "50001200"
                + info)
    }

    @Test("an address with its broadcast address, and a default route")
    func addresses() throws {
        let prefix = try #require(IPv4Prefix("172.17.0.2/16"))
        #expect(
            hex(RouteMessage.addAddress(prefix, to: 2).finished(sequence: 1, acknowledge: true))
                == "30000000" + "14000506" + "0100000000000000" + "0210000002000000"
                + "08000200ac110002" + "08000100ac110002" + "08000400ac11ffff")
        #expect(
            hex(
                RouteMessage.addDefaultRoute(via: IPv4Address(172, 17, 0, 1), index: 2).finished(
                    sequence: 2, acknowledge: true))
                == "2c000000" + "18000506" + "0200000000000000" + "02000000fe030001" + "00000000"
                + "08000500ac110001" + "0800040002000000")
    }

    @Test("links are read, and broken lengths end the reading")
    func links() throws {
        let link =
            "5c000000" + "10000200" + "0100000000000000" + "0000000005000000" + "0110000000000000".prefix(8)
            + "00000000"
            + "0b000300736b69666630" + "0000" + "0800040078050000" + "0a0001000242010203040000" + "10001200"
            + "0b000100" + "6272696467650000"
        var datagram = bytes(link)
        datagram[0] = UInt8(datagram.count)
        let replies = NetlinkReply.parse(datagram)
        let read = try #require(replies.compactMap(NetworkLink.init).first)
        #expect(read.name == "skiff0")
        #expect(read.kind == "bridge")
        #expect(read.index == 5)
        #expect(read.mtu == 1400)
        #expect(read.isUp)
        #expect(read.address?.description == "02:42:01:02:03:04")
        for length in 0..<datagram.count {
            // Never more than there is, whatever the cut.
            for reply in NetlinkReply.parse(datagram.prefix(length)) { _ = NetworkLink(reply) }
        }
    }

    @Test("any bytes are read without harm")
    func noise() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let noise = (0..<Int.random(in: 0..<200, using: &random)).map { _ in
                UInt8.random(in: 0...60, using: &random)
            }
            for reply in NetlinkReply.parse(noise) {
                _ = NetworkLink(reply)
                _ = InterfaceAddress(reply)
                _ = NetworkRoute(reply)
            }
        }
    }
}
