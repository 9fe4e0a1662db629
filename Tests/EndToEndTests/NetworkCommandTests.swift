import Linux
import Testing

/// Networks made, joined, left and removed while containers run; names, aliases and ports as they go.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"), .oneDaemon(ownNetwork: true))
struct NetworkCommandTests {
    private static let server = ["sh", "-c", "mkdir /www; echo page > /www/index.html; exec httpd -f -p 80 -h /www"]

    @Test(arguments: Client.allCases) func networksAreMadeListedAndRemoved(client: Client) async throws {
        try await client.session { cli in
            let subnet = "10.\(199 - cli.daemon.number % 100).77"
            let id = try await cli.must(
                "network", "create", "--subnet", "\(subnet).0/24", "--gateway", "\(subnet).254", "--ip-range",
                "\(subnet).64/26", "--label", "kind=sea", "--opt", "com.docker.network.driver.mtu=1400", "sea"
            ).line
            #expect(id.count == 64)
            #expect(
                try await cli.must(
                    "network", "inspect", "-f",
                    "{{.Id}} {{(index .IPAM.Config 0).Subnet}} {{(index .IPAM.Config 0).Gateway}} {{.Labels.kind}}",
                    "sea"
                ).line == "\(id) \(subnet).0/24 \(subnet).254 sea")
            let table = try await cli.must("network", "ls").lines.map {
                $0.split(separator: " ").joined(separator: " ")
            }
            #expect(table[0] == "NETWORK ID NAME DRIVER SCOPE")
            #expect(table.contains("\(id.prefix(12)) sea bridge local"))
            for (filter, names) in [
                ("name=se", ["sea"]), ("label=kind", ["sea"]), ("driver=bridge", ["bridge", "sea"]),
                ("id=\(id.prefix(8))", ["sea"]),
                ("type=custom", ["sea"]), ("type=builtin", ["bridge", "host", "none"]),
                ("scope=local", ["bridge", "host", "none", "sea"]),
                ("dangling=true", ["sea"]),
            ] {
                let found = try await cli.must("network", "ls", "--filter", filter, "--format", "{{.Name}}")
                #expect(found.lines.sorted() == names, "\(client) \(filter)")
            }
            let inside = try await cli.must(
                "run", "--rm", "--network", "sea", "busybox", "sh", "-c",
                "ip -4 addr show eth0 | awk '/inet/{print $2}'; ip route | awk '/default/{print $3}'; cat /sys/class/net/eth0/mtu"
            ).lines
            #expect(inside == ["\(subnet).64/24", "\(subnet).254", "1400"], "\(inside)")
            #expect(
                try await cli.must(
                    "run", "--rm", "--network", "sea", "--ip", "\(subnet).100", "busybox", "hostname", "-i"
                ).line
                    == "\(subnet).100")
            try await cli.refuses("network", "create", "sea", saying: "network with name sea already exists")
            try await cli.refuses("network", "create", "--subnet", "\(subnet).0/25", "lake", saying: "overlaps")
            try await cli.refuses("network", "create", "-d", "nodriver", "lake", saying: "nodriver")
            try await cli.refuses(
                "network", "rm", "bridge", saying: "bridge is a pre-defined network and cannot be removed")
            try await cli.refuses("network", "rm", "ghost", saying: "network ghost not found")
            try await cli.refuses("network", "inspect", "ghost", saying: "network ghost not found")
            #expect(try await cli.must("network", "rm", "sea").line == "sea")
        }
    }

    @Test(arguments: Client.allCases) func aRunningContainerJoinsAndLeaves(client: Client) async throws {
        try await client.session { cli in
            try await cli.must("network", "create", "sea")
            try await cli.must("network", "create", "--internal", "dock")
            let started = try await cli.run(
                ["run", "-d", "--name", "web", "--network", "sea", "busybox"] + Self.server)
            #expect(started.code == 0, "\(started.errors)")
            try await cli.must("run", "-d", "--name", "guest", "busybox", "sleep", "1000")
            /// The first packet on a new link may be lost, and the next is sent a second later.
            @Sendable func fetch(_ name: String, patience: String = "60") async throws -> Finished {
                try await cli("exec", "guest", "timeout", patience, "wget", "-qO-", "http://\(name)/")
            }
            #expect(try await fetch("web", patience: "1").code != 0)
            try await cli.must("network", "connect", "--alias", "friend", "sea", "guest")
            try await eventually("the page by name") { try await fetch("web").output == "page\n" }
            try await cli.must("network", "connect", "--alias", "pier", "dock", "web")
            try await cli.must("network", "connect", "dock", "guest")
            #expect(try await fetch("pier").output == "page\n")
            let faces = try await cli.must("exec", "guest", "ls", "/sys/class/net").lines
            #expect(faces == ["eth0", "eth1", "eth2", "lo"], "\(faces)")
            let resolved = try await cli.must("exec", "web", "nslookup", "friend")
            #expect(resolved.output.contains("Address"))
            #expect(
                try await cli.must("network", "inspect", "-f", "{{len .Containers}}", "sea").line == "2")
            try await cli.refuses("network", "connect", "sea", "guest", saying: "already exists in network sea")
            try await cli.refuses("network", "rm", "sea", saying: "has active endpoints")
            try await cli.must("network", "disconnect", "dock", "guest")
            try await cli.must("network", "disconnect", "sea", "guest")
            #expect(try await fetch("web", patience: "1").code != 0)
            #expect(try await cli.must("exec", "guest", "ls", "/sys/class/net").lines == ["eth0", "lo"])
            try await cli.refuses("network", "disconnect", "sea", "guest", saying: "is not connected to")
            try await cli.refuses("network", "connect", "ghost", "guest", saying: "network ghost not found")
            try await cli.refuses("network", "connect", "host", "guest", saying: "host")
        }
    }

    @Test(arguments: Client.allCases) func oneNetworkIsSharedByTwo(client: Client) async throws {
        try await client.session { cli in
            let started = try await cli.run(["run", "-d", "--name", "web", "-h", "harbour", "busybox"] + Self.server)
            #expect(started.code == 0, "\(started.errors)")
            try await eventually("the page on the shared loopback") {
                try await cli(
                    "run", "--rm", "--network", "container:web", "busybox", "wget", "-qO-", "http://127.0.0.1/"
                ).output
                    == "page\n"
            }
            #expect(
                try await cli.must("run", "--rm", "--network", "container:web", "busybox", "hostname").line == "harbour"
            )
            try await cli.refuses(
                "run", "--network", "container:web", "-p", "80", "busybox", code: 125, saying: "conflicting options")
            try await cli.refuses(
                "run", "--network", "container:ghost", "busybox", code: 125, saying: "No such container: ghost")
            try await cli.refuses(
                "run", "--network-alias", "x", "busybox", code: 125,
                saying: "network-scoped aliases are only supported for user-defined networks")
            let none = try await cli.must("run", "--rm", "--network", "none", "busybox", "ls", "/sys/class/net")
            #expect(none.lines == ["lo"])
        }
    }

    @Test(arguments: Client.allCases) func exposedPortsArePublishedAndReached(client: Client) async throws {
        try await client.session { cli in
            let started = try await cli.run(
                ["run", "-d", "--name", "web", "-P", "--expose", "80", "--expose", "7000-7001/udp", "busybox"]
                    + Self.server)
            #expect(started.code == 0, "\(started.errors)")
            let ports = try await cli.must("port", "web").lines
            #expect(ports.filter { $0.hasPrefix("80/tcp -> 0.0.0.0:") }.count == 1, "\(ports)")
            #expect(ports.filter { $0.hasPrefix("700") && $0.contains("/udp -> 0.0.0.0:") }.count == 2, "\(ports)")
            let port = try #require(try await cli.must("port", "web", "80").lines.first?.split(separator: ":").last)
            try await eventually("the page from the host") {
                try await Program.run(
                    Program.find("curl") ?? "curl", ["-fsS", "-m", "60", "http://127.0.0.1:\(port)/"],
                    network: cli.daemon.network
                ).output == "page\n"
            }
            #expect(
                try await cli.must(
                    "inspect", "-f", "{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}", "web"
                ).line == port)
            try await cli.refuses(
                "run", "-d", "--name", "second", "-p", "\(port):80", "busybox", "sleep", "1000", code: 125,
                saying: "port is already allocated")
            #expect(try await cli.must("inspect", "-f", "{{.State.Status}}", "second").line == "created")
            try await cli.must("restart", "-t", "0", "web")
            #expect(try await cli.must("port", "web", "80").lines.count == 1)
            try await cli.must("stop", "-t", "0", "web")
            #expect(try await cli.must("port", "web").output.isEmpty)
        }
    }
}
