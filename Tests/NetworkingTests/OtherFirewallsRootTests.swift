import Failures
import JSON
import Linux
import Testing

@testable import Networking

/// Beside a firewall that drops what it does not know, as dockerd's does, in a network namespace that stands for the host.
@Suite("Networks beside another firewall, with root", .enabled(if: Fixture.isRoot), .serialized)
struct OtherFirewallsRootTests {
    @Test(
        "containers talk to each other and to the outside whoever started first, and nothing more is open than before",
        arguments: [true, false])
    func traffic(othersFirst: Bool) async throws {
        try await Fixture.with { fixture in
            let outside = try await fixture.makeOutside()
            if othersFirst { try await fixture.dropForwarded() }
            let networks = othersFirst ? fixture.daemon(instance: "/srv/two") : fixture.networks
            if othersFirst { _ = try await networks.start() }
            var request = fixture.request("web")
            request.ports = [PortRequest(hostPorts: 8080...8080, containerPort: 80)]
            let web = try await networks.attach(request)
            let client = try await networks.attach(fixture.request("client"))
            _ = try await networks.create(NetworkSettings(name: "other"))
            let stranger = try await networks.attach(fixture.request("stranger", network: "other"))
            if !othersFirst { try await fixture.dropForwarded() }
            let address = try #require(web.endpoints.first?.ipv4)
            try await fixture.listen(in: web, port: 80) { () async throws in
                #expect(try await fixture.exchange(from: client, to: address, port: 80) == "web", "on one bridge")
                #expect(try await fixture.exchangeFromHost(to: .loopback, port: 8080) == "web")
                for sandbox in [client, web, stranger] {
                    #expect(
                        try await fixture.exchange(from: sandbox, to: outside.hostAddress, port: 8080) == "web",
                        "the published port from \(Fixture.name(sandbox.id))")
                }
                #expect(try await fixture.exchange(in: outside.namespace, to: outside.hostAddress, port: 8080) == "web")
                #expect(try await fixture.exchange(from: stranger, to: address, port: 80, wait: 400) == nil)
                #expect(try await fixture.exchange(in: outside.namespace, to: address, port: 80, wait: 400) == nil)
            }
            try await fixture.listen(in: outside.namespace, port: 7000, saying: "out") { (_) async throws in
                #expect(try await fixture.exchange(from: client, to: outside.address, port: 7000) == "out")
                #expect(try await fixture.exchange(from: stranger, to: outside.address, port: 7000) == "out")
            }
            if othersFirst { await networks.teardownAll() }
        }
    }

    @Test("another engine's containers stay as closed as they are, and reach what is published here")
    func othersStayClosed() async throws {
        try await Fixture.with { fixture in
            let outside = try await fixture.makeOutside()
            // The link to the outside stands for the other engine's bridge.
            try await fixture.dropForwarded(othersBridge: "wan")
            var request = fixture.request("web")
            request.ports = [PortRequest(hostPorts: 8080...8080, containerPort: 80)]
            let web = try await fixture.networks.attach(request)
            let client = try await fixture.networks.attach(fixture.request("client"))
            let address = try #require(web.endpoints.first?.ipv4)
            try await fixture.listen(in: web, port: 80) { () async throws in
                #expect(try await fixture.exchange(from: client, to: address, port: 80) == "web")
                #expect(try await fixture.exchange(in: outside.namespace, to: outside.hostAddress, port: 8080) == "web")
                #expect(try await fixture.exchange(in: outside.namespace, to: address, port: 80, wait: 400) == nil)
            }
            try await fixture.listen(in: outside.namespace, port: 7000, saying: "theirs") { (_) async throws in
                #expect(try await fixture.exchangeFromHost(to: outside.address, port: 7000) == "theirs")
                #expect(try await fixture.exchange(from: client, to: outside.address, port: 7000, wait: 400) == nil)
            }
        }
    }

    @Test(
        "rules come and go with networks, are not doubled by a restart, and at the end the others' table is what it was"
    )
    func nothingLeft() async throws {
        try await Fixture.with { fixture in
            // Sees the chain also when the daemons have gone.
            let witness = fixture.daemon(instance: "/srv/witness")
            try await fixture.dropForwarded()
            // The fixture's own daemon hears of it in its own time, so it goes before anybody looks.
            await fixture.networks.teardownAll()
            let before = try await witness.othersTable()
            let other = fixture.daemon(instance: "/srv/other")
            _ = try await other.start()
            let second = fixture.daemon(instance: "/srv/two")
            let mark = second.names.table
            _ = try await second.start()
            #expect(try await witness.rules(marked: mark) == 2)
            _ = try await second.create(NetworkSettings(name: "sea"))
            #expect(try await witness.rules(marked: mark) == 4)
            _ = try await second.remove("sea")
            #expect(try await witness.rules(marked: mark) == 2)
            // A container that runs on: the daemon goes and leaves what it needs.
            _ = try await second.attach(fixture.request("one"))
            await second.shutdown()
            #expect(try await witness.rules(marked: mark) == 2)
            let third = fixture.daemon(instance: "/srv/two")
            _ = try await third.start()
            #expect(try await witness.rules(marked: mark) == 2)
            await other.teardownAll()
            #expect(try await witness.rules(marked: mark) == 2, "another daemon took away what is not its own")
            // Nobody is connected any more, so an ordinary end is enough.
            await third.shutdown()
            #expect(try await witness.othersTable() == before)
            await witness.shutdown()
        }
    }

    @Test("a firewall that is loaded anew gets our rules again")
    func reload() async throws {
        try await Fixture.with { fixture in
            try await fixture.dropForwarded()
            let web = try await fixture.networks.attach(fixture.request("web"))
            let client = try await fixture.networks.attach(fixture.request("client"))
            let address = try #require(web.endpoints.first?.ipv4)
            try await fixture.listen(in: web, port: 80) { () async throws in
                for script in ["flush chain ip filter FORWARD\n", "delete table ip filter\n"] {
                    try await fixture.filter(script)
                    try await fixture.dropForwarded()
                    #expect(try await fixture.exchange(from: client, to: address, port: 80) == "web", "after \(script)")
                }
            }
        }
    }
}

extension Fixture {
    fileprivate func filter(_ script: String) async throws {
        try await networks.host.run { tools in try tools.filter.run(script) }
    }

    /// What dockerd 28 makes of the machine's packet filter, as far as it concerns others.
    fileprivate func dropForwarded(othersBridge: String = "docker0") async throws {
        try await filter(
            """
            table ip filter {
            chain DOCKER-USER {
            }
            chain DOCKER-FORWARD {
            oifname "\(othersBridge)" ct state related,established accept
            iifname != "\(othersBridge)" oifname "\(othersBridge)" drop
            iifname "\(othersBridge)" accept
            }
            chain FORWARD {
            type filter hook forward priority filter; policy drop;
            jump DOCKER-USER
            jump DOCKER-FORWARD
            }
            }

            """)
    }
}

extension Networks {
    /// The table that is not ours; handles included: what was made anew has another.
    fileprivate func othersTable() async throws -> JSON? {
        try await host.run { tools in try tools.filter.list("list table ip filter\n") }
    }

    /// How many rules in it have a daemon's mark.
    fileprivate func rules(marked mark: String) async throws -> Int {
        let chain = try await host.run { tools in
            try tools.filter.list(ForwardChain.query).flatMap(ForwardChain.init(listing:))
        }
        return try #require(chain).rules.filter { $0.comment.hasPrefix(mark + ": ") }.count
    }
}
