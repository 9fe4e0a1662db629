import Failures
import Linux
import Testing

@testable import Networking

@Suite("FirewallScript")
struct FirewallScriptTests {
    private var bridge: FirewalledBridge {
        FirewalledBridge(name: "skiff0", subnet: IPv4Prefix(IPv4Address(172, 17, 0, 1), 16))
    }
    private func port(_ address: IPv4Address, _ host: UInt16, _ proto: PortProtocol = .tcp) -> ForwardedPort {
        ForwardedPort(
            hostIP: address, hostPort: host, target: IPv4Address(172, 17, 0, 2), containerPort: 80, proto: proto)
    }

    @Test("publishing is an element and nothing more")
    func elements() {
        let script = FirewallScript(table: "skiff")
        let ports = [port(.any, 8080), port(.loopback, 81), port(.any, 53, .udp)]
        #expect(
            script.additions(of: ports) == """
                add element ip skiff published { tcp . 8080 : 172.17.0.2 . 80, udp . 53 : 172.17.0.2 . 80 }
                add element ip skiff published_at { tcp . 127.0.0.1 . 81 : 172.17.0.2 . 80 }

                """)
        #expect(
            script.removals(of: [port(.any, 8080)])
                == "delete element ip skiff published { tcp . 8080 : 172.17.0.2 . 80 }\n")
        #expect(script.additions(of: []).isEmpty)
    }

    @Test("a bridge is in every set it must be in, by its network")
    func bridges() {
        let script = FirewallScript(table: "skiff_x")
        #expect(
            script.addition(of: bridge) == """
                add element ip skiff_x bridges { "skiff0" }
                add element ip skiff_x same_bridge { "skiff0" . "skiff0" }
                add element ip skiff_x translated { 172.17.0.0/16 }
                add element ip skiff_x at_home { "skiff0" . 172.17.0.0/16 }
                add element ip skiff_x hairpin { 172.17.0.0/16 . 172.17.0.0/16 }

                """)
        var hidden = bridge
        hidden.isInternal = true
        hidden.translates = false
        let text = script.addition(of: hidden)
        #expect(text.contains("internal { \"skiff0\" }"))
        #expect(!text.contains("translated"))
        #expect(
            script.removal(of: bridge).split(separator: "\n").allSatisfy { $0.hasPrefix("delete element ip skiff_x ") })
    }

    @Test("the whole table replaces itself and touches no other")
    func replacement() {
        var script = FirewallScript(table: "skiff", bridges: [bridge], ports: [port(.any, 8080)])
        let text = script.replacement
        #expect(text.hasPrefix("add table ip skiff\ndelete table ip skiff\ntable ip skiff {\n"))
        #expect(!text.contains("flush ruleset"))
        #expect(!text.contains("chain guard"))
        #expect(text.filter { $0 == "{" }.count == text.filter { $0 == "}" }.count)
        script.guardsForwarding = true
        #expect(script.replacement.contains("meta iifkind != \"bridge\" meta oifkind != \"bridge\" drop"))
    }

    @Test("names of two daemons differ and fit the kernel's limits")
    func names() {
        let standard = InstanceNames(instance: "", bridgeName: nil)
        #expect(standard.defaultBridge == "skiff0")
        #expect(standard.table == "skiff")
        let one = InstanceNames(instance: "/srv/one", bridgeName: nil)
        let two = InstanceNames(instance: "/srv/two", bridgeName: nil)
        #expect(one.defaultBridge != two.defaultBridge && one.table != two.table && one.linkPrefix != two.linkPrefix)
        #expect(one == InstanceNames(instance: "/srv/one", bridgeName: nil))
        for names in [standard, one, two] {
            #expect(BridgePlan.isLinkName(names.defaultBridge))
            #expect(names.link(endpoint: RandomID.make()).utf8.count == 15)
        }
    }

    @Test(
        "link names that could mean something in a path or a script are refused",
        arguments: ["", ".", "..", "a/b", "a\"b", "a b", "-a", "a;b", "sixteen-letters-", "a\nb"])
    func badLinkNames(name: String) { #expect(!BridgePlan.isLinkName(name)) }

    @Test(
        "options that make no sense are refused",
        arguments: [
            (BridgeOption.mtu, "12"), (BridgeOption.mtu, "many"), (BridgeOption.icc, "maybe"),
            (BridgeOption.masquerade, "2"),
            (BridgeOption.hostBinding, "::1"), (BridgeOption.name, "a/../b"),
        ])
    func badOptions(key: String, value: String) throws {
        let settings = NetworkSettings(
            name: "n", options: [key: value], addressing: [Addressing(subnet: IPv4Prefix("10.0.0.0/24"))])
        let network = try Networks.check(settings)
        #expect(throws: Failure(.invalid, "")) { try BridgePlan(network, mtu: 1500) }
    }

    @Test(
        "networks that cannot be are refused",
        arguments: [
            (NetworkSettings(name: "bridge"), Failure.Kind.forbidden), (NetworkSettings(name: ""), .invalid),
            (NetworkSettings(name: "-a"), .invalid),
            (NetworkSettings(name: "a b"), .invalid), (NetworkSettings(name: "a", driver: "../../sbin/x"), .notFound),
            (NetworkSettings(name: "a", driver: "host"), .forbidden),
            (NetworkSettings(name: "a", enableIPv6: true), .notImplemented),
            (NetworkSettings(name: "a", addressing: [Addressing(), Addressing()]), .invalid),
        ])
    func badNetworks(settings: NetworkSettings, kind: Failure.Kind) {
        #expect(throws: Failure(kind, "")) { try Networks.check(settings) }
    }
}
