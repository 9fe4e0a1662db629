import Linux
import Testing

/// What goes over the wire, octet by octet, as a little-endian machine writes it.
@Suite("Netlink")
struct NetlinkBytesTests {
    /// The octets of hexadecimal text, where `#` begins a comment.
    private func bytes(_ text: String) -> [UInt8] {
        var digits: [UInt8] = []
        for line in text.split(separator: "\n") {
            for character in line.prefix(while: { $0 != "#" }) {
                if let digit = character.hexDigitValue { digits.append(UInt8(digit)) }
            }
        }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    @Test("a bridge")
    func bridge() throws {
        let mac = try #require(MACAddress("02:42:01:02:03:04"))
        let message = RouteMessage.makeBridge("skiff0", address: mac, mtu: 1400)
        let expected = bytes(
            """
            50000000 1000 0506 07000000 00000000  # header: RTM_NEWLINK, create, exclusive, request, ack
            00000000 00000000 00000000 00000000   # ifinfomsg
            0b000300 736b69666630 00 00           # IFLA_IFNAME, padded
            08000400 78050000                     # IFLA_MTU
            0a000100 024201020304 0000            # IFLA_ADDRESS, padded
            10001200 0b000100 62726964676500 00   # IFLA_LINKINFO { IFLA_INFO_KIND "bridge" }
            """)
        #expect(message.finished(sequence: 7, acknowledge: true) == expected)
    }

    @Test("a veth pair carries its other end inside, with a header of its own")
    func veth() throws {
        let pair = RouteMessage.VethPair(
            name: "skab", bridge: 3, peerName: "eth0", peerAddress: MACAddress(derivedFrom: IPv4Address(172, 17, 0, 2)),
            peerNamespace: 9, mtu: 1500)
        let expected = bytes(
            """
            8c000000 1000 0506 01000000 00000000
            00000000 00000000 00000000 00000000
            09000300 736b6162 00 000000           # IFLA_IFNAME
            08000400 dc050000                     # IFLA_MTU
            08000a00 03000000                     # IFLA_MASTER
            50001200                              # IFLA_LINKINFO {
            09000100 76657468 00 000000           #   IFLA_INFO_KIND "veth"
            40000200                              #   IFLA_INFO_DATA {
            3c000100                              #     VETH_INFO_PEER {
            00000000 00000000 00000000 00000000   #       ifinfomsg
            09000300 65746830 00 000000           #       IFLA_IFNAME
            08000400 dc050000                     #       IFLA_MTU
            0a000100 0242ac110002 0000            #       IFLA_ADDRESS
            08001c00 09000000                     #       IFLA_NET_NS_FD
            """)
        #expect(RouteMessage.makeVeth(pair).finished(sequence: 1, acknowledge: true) == expected)
    }

    @Test("an address with its broadcast address")
    func address() throws {
        let prefix = try #require(IPv4Prefix("172.17.0.2/16"))
        let expected = bytes(
            """
            30000000 1400 0506 01000000 00000000
            02100000 02000000
            08000200 ac110002 08000100 ac110002 08000400 ac11ffff
            """)
        #expect(RouteMessage.addAddress(prefix, to: 2).finished(sequence: 1, acknowledge: true) == expected)
    }

    @Test("a default route")
    func route() {
        let message = RouteMessage.addDefaultRoute(via: IPv4Address(172, 17, 0, 1), index: 2)
        let expected = bytes(
            """
            2c000000 1800 0506 02000000 00000000
            02000000 fe030001 00000000
            08000500 ac110001 08000400 02000000
            """)
        #expect(message.finished(sequence: 2, acknowledge: true) == expected)
    }

    @Test("links are read, and broken lengths end the reading")
    func links() throws {
        let datagram = bytes(
            """
            58000000 1000 0200 01000000 00000000
            00000100 05000000 01000000 00000000
            0b000300 736b69666630 00 00
            08000400 78050000
            0a000100 024201020304 0000
            10001200 0b000100 62726964676500 00
            08000a00 03000000
            """)
        let read = try #require(NetlinkReply.parse(datagram).lazy.compactMap(NetworkLink.init).first)
        #expect(read.name == "skiff0")
        #expect(read.kind == "bridge")
        #expect(read.index == 5)
        #expect(read.mtu == 1400)
        #expect(read.master == 3)
        #expect(read.isUp)
        #expect(read.address?.description == "02:42:01:02:03:04")
        for length in 0..<datagram.count {
            // Never more than there is, whatever the cut.
            #expect(NetlinkReply.parse(datagram.prefix(length)).isEmpty)
        }
    }

    @Test("any bytes are read without harm")
    func noise() {
        for _ in 0..<2000 {
            let noise = (0..<Int.random(in: 0..<200)).map { _ in UInt8.random(in: 0...60) }
            for reply in NetlinkReply.parse(noise) {
                _ = NetworkLink(reply)
                _ = InterfaceAddress(reply)
                _ = NetworkRoute(reply)
            }
        }
    }
}
