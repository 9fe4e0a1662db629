import Failures
import Linux
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Networking

/// Networks as they are on the machine, in a network namespace that stands for the host: the real one is not touched.
@Suite("Networks, with root", .enabled(if: Fixture.isRoot), .serialized)
struct NetworkingRootTests {
    // MARK: The default bridge

    @Test("a container reaches the host and its neighbour, and leaves nothing behind")
    func attachDetach() async throws {
        try await Fixture.with { fixture in
            let before = try await fixture.links()
            let one = try await fixture.networks.attach(fixture.request("one"))
            let two = try await fixture.networks.attach(fixture.request("two"))
            let endpoint = try #require(one.endpoints.first)
            let gateway = try #require(endpoint.gateway)
            #expect(endpoint.interface == "eth0")
            #expect(endpoint.mac == endpoint.ipv4.map(MACAddress.init(derivedFrom:)))
            #expect(one.files.hosts.contains("\(try #require(endpoint.ipv4))\tone-host"))
            let neighbour = try #require(two.endpoints.first?.ipv4)
            try await fixture.listen(in: two, port: 80) { () async throws in
                #expect(try await fixture.exchange(from: one, to: neighbour, port: 80) == "two")
            }
            try await fixture.listenOnHost(port: 9000, saying: "host") { () async throws in
                #expect(try await fixture.exchange(from: one, to: gateway, port: 9000) == "host")
            }
            await fixture.networks.detach(Fixture.id("one"))
            await fixture.networks.detach(Fixture.id("two"))
            await fixture.networks.detach(Fixture.id("two"))
            await fixture.settle()
            #expect(try await fixture.links() == before)
            #expect(fixture.networks.sandbox(Fixture.id("one")) == nil)
        }
    }

    @Test("interfaces of containers have no IPv6 and hear no router advertisements")
    func noIPv6() async throws {
        try await Fixture.with { fixture in
            let one = try await fixture.networks.attach(fixture.request("one"))
            let namespace = try #require(one.namespace)
            for (control, value) in [("disable_ipv6", "1"), ("accept_ra", "0")] {
                let read = try NetworkNamespace.run(in: namespace.raw) { () throws(SystemError) -> String in
                    try readText("/proc/sys/net/ipv6/conf/eth0/\(control)", limit: 16)
                }
                #expect(read == value + "\n", "\(control)")
            }
        }
    }

    @Test("host and none have no interface of their own")
    func hostAndNone() async throws {
        try await Fixture.with { fixture in
            var request = fixture.request("one", network: "host")
            request.ports = [PortRequest(hostPorts: 8080...8080, containerPort: 80)]
            let host = try await fixture.networks.attach(request)
            #expect(host.namespace == nil)
            #expect(host.ports.isEmpty)
            #expect(host.endpoints.first?.networkName == "host")
            let none = try await fixture.networks.attach(fixture.request("two", network: "none"))
            let namespace = try #require(none.namespace)
            let names = try NetworkNamespace.run(in: namespace.raw) { () throws(SystemError) -> [String] in
                var netlink = try NetlinkSocket()
                return try netlink.links().filter(\.isUp).map(\.name)
            }
            #expect(names == ["lo"])
            await #expect(throws: Failure(.forbidden, "")) {
                try await fixture.networks.connect(Fixture.id("one"), to: EndpointRequest(network: "bridge"))
            }
        }
    }

    // MARK: Published ports

    @Test("a published port answers on loopback, on the host's address, for containers and for the container itself")
    func publish() async throws {
        try await Fixture.with { fixture in
            var request = fixture.request("web")
            request.ports = [
                PortRequest(hostPorts: 8080...8080, containerPort: 80),
                PortRequest(hostIP: .loopback, hostPorts: 8081...8081, containerPort: 80),
            ]
            let web = try await fixture.networks.attach(request)
            let client = try await fixture.networks.attach(fixture.request("client"))
            _ = try await fixture.networks.create(NetworkSettings(name: "other"))
            let stranger = try await fixture.networks.attach(fixture.request("stranger", network: "other"))
            let outside = try await fixture.makeOutside()
            #expect(web.ports.map(\.hostPort) == [8080, 8081])
            try await fixture.listen(in: web, port: 80) { () async throws in
                #expect(try await fixture.exchangeFromHost(to: .loopback, port: 8080) == "web")
                #expect(try await fixture.exchangeFromHost(to: .loopback, port: 8081) == "web")
                #expect(try await fixture.exchangeFromHost(to: outside.hostAddress, port: 8080) == "web")
                for sandbox in [client, web, stranger] {
                    #expect(
                        try await fixture.exchange(from: sandbox, to: outside.hostAddress, port: 8080) == "web",
                        "from \(sandbox.id)")
                }
                #expect(try await fixture.exchange(in: outside.namespace, to: outside.hostAddress, port: 8080) == "web")
                // Published on loopback only: nobody else gets there.
                #expect(
                    try await fixture.exchange(in: outside.namespace, to: outside.hostAddress, port: 8081, wait: 400)
                        == nil)
                try await fixture.sendLoopbackOut(outside.namespace, by: "lan")
                #expect(try await fixture.exchange(in: outside.namespace, to: .loopback, port: 8081, wait: 400) == nil)
                #expect(try await fixture.exchange(from: client, to: outside.hostAddress, port: 8081, wait: 400) == nil)
            }
            await fixture.networks.detach(Fixture.id("web"))
            #expect(try await fixture.exchangeFromHost(to: .loopback, port: 8080, wait: 400) == nil)
            // The port is free again.
            request.id = Fixture.id("again")
            _ = try await fixture.networks.attach(request)
        }
    }

    @Test("a neighbour with a route does not get to a container, published port or not; other bridges neither")
    func directRouting() async throws {
        try await Fixture.with { fixture in
            var request = fixture.request("web")
            request.ports = [PortRequest(hostPorts: 8080...8080, containerPort: 80)]
            let web = try await fixture.networks.attach(request)
            let address = try #require(web.endpoints.first?.ipv4)
            let outside = try await fixture.makeOutside()
            _ = try await fixture.networks.create(NetworkSettings(name: "other"))
            let stranger = try await fixture.networks.attach(fixture.request("stranger", network: "other"))
            try await fixture.listen(in: web, port: 80) { () async throws in
                #expect(try await fixture.exchange(in: outside.namespace, to: address, port: 80, wait: 400) == nil)
                #expect(try await fixture.exchange(from: stranger, to: address, port: 80, wait: 400) == nil)
                #expect(try await fixture.exchangeFromHost(to: address, port: 80) == "web")
            }
        }
    }

    @Test("containers get out with the host's address; from internal networks nobody gets out")
    func masquerade() async throws {
        try await Fixture.with { fixture in
            let outside = try await fixture.makeOutside()
            let one = try await fixture.networks.attach(fixture.request("one"))
            _ = try await fixture.networks.create(NetworkSettings(name: "closed", isInternal: true))
            let shut = try await fixture.networks.attach(fixture.request("shut", network: "closed"))
            #expect(shut.endpoints.first?.gateway == nil)
            try await fixture.listen(in: outside.namespace, port: 7000, saying: "out") { (peers) async throws in
                #expect(try await fixture.exchange(from: one, to: outside.address, port: 7000) == "out")
                #expect(try await fixture.exchange(from: shut, to: outside.address, port: 7000, wait: 400) == nil)
                #expect(peers.all == [outside.hostAddress])
            }
        }
    }

    @Test("a port that somebody has is refused in Docker's words, and nothing is left")
    func portConflicts() async throws {
        try await Fixture.with { fixture in
            var request = fixture.request("one")
            request.ports = [PortRequest(hostPorts: 8080...8080, containerPort: 80)]
            _ = try await fixture.networks.attach(request)
            let links = try await fixture.links()
            request.id = Fixture.id("two")
            request.name = "two"
            let refused = await fixture.failure { _ = try await fixture.networks.attach(request) }
            #expect(
                refused?.message.hasPrefix("driver failed programming external connectivity on endpoint two (") == true)
            #expect(refused?.message.hasSuffix("): Bind for 0.0.0.0:8080 failed: port is already allocated") == true)
            try await fixture.listenOnHost(port: 8090, saying: "host") { () async throws in
                request.ports = [PortRequest(hostPorts: 8090...8090, containerPort: 80)]
                let refused = await fixture.failure { _ = try await fixture.networks.attach(request) }
                #expect(refused?.message.hasSuffix("Bind for 0.0.0.0:8090 failed: port is already allocated") == true)
                // A range goes on to the next, and a program that listens on loopback only stands in its way too.
                request.ports = [PortRequest(hostPorts: 8090...8092, containerPort: 80)]
                let made = try await fixture.networks.attach(request)
                #expect(made.ports.map(\.hostPort) == [8091])
                await fixture.networks.detach(request.id)
            }
            await fixture.settle()
            #expect(try await fixture.links() == links)
        }
    }

    @Test("a container that sends packets for 127.0.0.1 to the host does not get to the host's loopback")
    func loopbackFromContainer() async throws {
        try await Fixture.with { fixture in
            let one = try await fixture.networks.attach(fixture.request("one"))
            try await fixture.listenOnHost(port: 9001, saying: "secret") { () async throws in
                #expect(try await fixture.exchangeFromHost(to: .loopback, port: 9001) == "secret")
                try await fixture.sendLoopbackOut(try #require(one.namespace), by: "eth0")
                #expect(try await fixture.exchange(from: one, to: .loopback, port: 9001, wait: 400) == nil)
            }
        }
    }

    @Test("-P publishes each exposed port somewhere, and what is published stays where it is")
    func publishAll() async throws {
        try await Fixture.with { fixture in
            var request = fixture.request("one")
            request.ports = [PortRequest(hostPorts: 8080...8080, containerPort: 80)]
            request.publishAll = [ExposedPort(80), ExposedPort(53, .udp), ExposedPort(443)]
            let made = try await fixture.networks.attach(request)
            #expect(made.ports.count == 3)
            #expect(made.ports.first?.hostPort == 8080)
            #expect(Set(made.ports.map(\.hostPort)).count == 3)
            #expect(made.ports.dropFirst().allSatisfy { $0.hostPort >= 1024 })
        }
    }

    @Test("a sender of datagrams that never pauses reaches the container that has the port now")
    func datagrams() async throws {
        try await Fixture.with { fixture in
            let client = try await fixture.datagramClient(to: .loopback, port: 5300)
            for name in ["one", "two"] {
                var request = fixture.request(name)
                request.ports = [PortRequest(hostPorts: 5300...5300, containerPort: 53, proto: .udp)]
                let sandbox = try await fixture.networks.attach(request)
                try await fixture.answer(in: sandbox, port: 53) { (counter) async throws in
                    try await fixture.ask(client)
                    try await fixture.ask(client)
                    #expect(counter.value == 2)
                }
                await fixture.networks.detach(request.id)
            }
        }
    }

    // MARK: Names

    @Test("containers find each other by name, alias and id on their networks, over UDP and TCP")
    func names() async throws {
        try await Fixture.with { fixture in
            _ = try await fixture.networks.create(NetworkSettings(name: "front"))
            let one = try await fixture.networks.attach(fixture.request("one", network: "front"))
            var request = fixture.request("two", network: "front")
            request.endpoints[0].aliases = ["db"]
            let two = try await fixture.networks.attach(request)
            let address = try #require(two.endpoints.first?.ipv4)
            #expect(one.files.resolvConf.contains("nameserver 127.0.0.11\n"))
            for name in ["two", "DB", "two.front", String(request.id.prefix(12))] {
                for transport in [InternetSocket.Transport.udp, .tcp] {
                    #expect(
                        try await fixture.lookUp(name, from: one, over: transport) == [address],
                        "\(name) over \(transport)")
                }
            }
            fixture.networks.rename(request.id, to: "renamed")
            #expect(try await fixture.lookUp("renamed", from: one, over: .udp) == [address])
            await fixture.networks.detach(request.id)
            // Nobody's name any more, so the outside is asked.
            #expect(try await fixture.lookUp("two", from: one, over: .udp) == [IPv4Address(192, 0, 2, 77)])
        }
    }

    @Test("other questions go to the host's server, though it listens on loopback; not from internal networks")
    func forwarding() async throws {
        try await Fixture.with { fixture in
            _ = try await fixture.networks.create(NetworkSettings(name: "front"))
            _ = try await fixture.networks.create(NetworkSettings(name: "closed", isInternal: true))
            let one = try await fixture.networks.attach(fixture.request("one", network: "front"))
            let shut = try await fixture.networks.attach(fixture.request("shut", network: "closed"))
            #expect(try await fixture.lookUp("outside.example", from: one, over: .udp) == [IPv4Address(192, 0, 2, 77)])
            let asked = fixture.questions.value
            #expect(try await fixture.lookUp("outside.example", from: shut, over: .udp) == [])
            #expect(fixture.questions.value == asked)
        }
    }

    // MARK: Live changes

    @Test("a running container is connected and disconnected; route and ports follow")
    func connect() async throws {
        try await Fixture.with { fixture in
            _ = try await fixture.networks.create(NetworkSettings(name: "alpha"))
            _ = try await fixture.networks.create(NetworkSettings(name: "beta"))
            var request = fixture.request("web", network: "beta")
            request.ports = [PortRequest(hostPorts: 8080...8080, containerPort: 80)]
            _ = try await fixture.networks.attach(request)
            let other = try await fixture.networks.attach(fixture.request("other", network: "alpha"))
            let both = try await fixture.networks.connect(
                request.id, to: EndpointRequest(network: "alpha", aliases: ["www"]))
            #expect(both.endpoints.map(\.interface) == ["eth0", "eth1"])
            let second = try #require(both.endpoints.last?.ipv4)
            #expect(try await fixture.lookUp("www", from: other, over: .udp) == [second])
            await #expect(throws: Failure(.forbidden, "")) {
                try await fixture.networks.connect(request.id, to: EndpointRequest(network: "alpha"))
            }
            try await fixture.listen(in: both, port: 80) { () async throws in
                #expect(try await fixture.exchangeFromHost(to: .loopback, port: 8080) == "web")
                let left = try await fixture.networks.disconnect(request.id, from: "beta")
                #expect(left.endpoints.map(\.networkName) == ["alpha"])
                #expect(try await fixture.exchangeFromHost(to: .loopback, port: 8080) == "web")
            }
            await #expect(throws: Failure(.forbidden, "")) { try await fixture.networks.remove("alpha") }
            _ = try await fixture.networks.remove("beta")
        }
    }

    @Test("fixed addresses: only in subnets that were asked for, and only once")
    func fixedAddresses() async throws {
        try await Fixture.with { fixture in
            let subnet = IPv4Prefix(IPv4Address(10, 77, 0, 0), 24)
            _ = try await fixture.networks.create(
                NetworkSettings(name: "fixed", addressing: [Addressing(subnet: subnet)]))
            var request = fixture.request("one", network: "fixed")
            request.endpoints[0].ipv4 = IPv4Address(10, 77, 0, 9)
            #expect(try await fixture.networks.attach(request).endpoints.first?.ipv4?.description == "10.77.0.9")
            request.id = Fixture.id("two")
            await #expect(throws: Failure(.forbidden, "")) { try await fixture.networks.attach(request) }
            request.endpoints[0].ipv4 = IPv4Address(10, 78, 0, 9)
            await #expect(throws: Failure(.invalid, "")) { try await fixture.networks.attach(request) }
            request.endpoints[0].network = "bridge"
            await #expect(throws: Failure(.invalid, "")) { try await fixture.networks.attach(request) }
            await #expect(throws: Failure(.conflict, "")) {
                try await fixture.networks.create(NetworkSettings(name: "fixed"))
            }
            await #expect(throws: Failure(.forbidden, "")) {
                try await fixture.networks.create(
                    NetworkSettings(name: "overlap", addressing: [Addressing(subnet: subnet)]))
            }
        }
    }
}
