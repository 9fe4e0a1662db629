import Linux
import Testing

@testable import Networking

@Suite("NameFiles")
struct NameFilesTests {
    @Test("hosts has the fixed lines, what was added, then the container")
    func hosts() {
        let text = NameFiles.hosts(
            extra: [("db", "10.0.0.9")], addresses: [IPv4Address(172, 17, 0, 2), IPv4Address(172, 18, 0, 2)],
            hostname: "web", domain: "example.org")
        #expect(
            text == """
                127.0.0.1\tlocalhost
                ::1\tlocalhost ip6-localhost ip6-loopback
                fe00::\tip6-localnet
                ff00::\tip6-mcastprefix
                ff02::1\tip6-allnodes
                ff02::2\tip6-allrouters
                10.0.0.9\tdb
                172.17.0.2\tweb.example.org web
                172.18.0.2\tweb.example.org web

                """)
        #expect(
            NameFiles.hosts(base: "127.0.0.1 box", extra: [], addresses: [], hostname: "", domain: "")
                == "127.0.0.1 box\n")
    }

    @Test("extra hosts")
    func extraHosts() throws {
        func read(_ text: String) -> String? {
            NameFiles.extraHost(text, gateway: "172.17.0.1").map { "\($0.name)>\($0.address)" }
        }
        #expect(read("db:10.0.0.1") == "db>10.0.0.1")
        #expect(read("db=10.0.0.1") == "db>10.0.0.1")
        #expect(read("host.docker.internal:host-gateway") == "host.docker.internal>172.17.0.1")
        #expect(read("six:::1") == "six>::1")
        #expect(read("six:[fe80::1]") == "six>fe80::1")
        for bad in [
            "db", "db:", ":1.2.3.4", "db:1.2.3", "a b:1.2.3.4", "a\nb:1.2.3.4", "a#:1.2.3.4", "db:1.2.3.4\nroot:::1",
        ] {
            #expect(read(bad) == nil, "\(bad)")
        }
    }

    @Test("resolv.conf: read, overridden, and written for both kinds of container")
    func resolver() {
        let host = ResolverSettings(
            parsing:
                "# comment\nnameserver 127.0.0.53\nnameserver 192.0.2.1\ndomain old.example\nsearch a.example b.example\noptions edns0 trust-ad\nsortlist x\n"
        )
        #expect(host.servers == ["127.0.0.53", "192.0.2.1"])
        #expect(host.search == ["a.example", "b.example"])
        #expect(host.direct.servers == ["192.0.2.1"])
        #expect(
            host.embedded.text.hasSuffix(
                "nameserver 127.0.0.11\nsearch a.example b.example\noptions edns0 trust-ad ndots:0\n"))
        let own = host.overridden(by: DNSSettings(servers: ["9.9.9.9"], search: ["."], options: ["ndots:3"]))
        #expect(own.direct.text.hasSuffix("nameserver 9.9.9.9\noptions ndots:3\n"))
        #expect(own.embedded.options == ["ndots:3"])
    }
}
