import CLinux
import Linux
import Synchronization
import Testing

/// Every form of `-p`, and two containers that want the same port.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"))
struct PublishedPortTests {
    private static func server(_ ports: Int...) -> String {
        let starts = ports.map {
            "mkdir -p /www/\($0); echo \($0) > /www/\($0)/index.html; httpd -p \($0) -h /www/\($0)"
        }
        return starts.joined(separator: "; ") + "; exec sleep 1000"
    }

    private func fetch(_ url: String) async throws -> Finished {
        try await Program.run(Program.find("curl") ?? "/usr/bin/curl", ["-fsS", "-m", "60", url])
    }

    private func port(_ daemon: PrivateDaemon, _ container: String) async throws -> String {
        let first = try await daemon.must("port", container).lines.first
        return try #require(first?.split(separator: ":").last.map(String.init))
    }

    private func bridge(_ daemon: PrivateDaemon) async throws -> String {
        try await daemon.must(
            "network", "inspect", "-f", "{{index .Options \"com.docker.network.bridge.name\"}}", "bridge"
        ).line
    }

    private func gateway(_ daemon: PrivateDaemon) -> String { String(daemon.bridgeAddress.prefix { $0 != "/" }) }

    /// A port for which the host gives nobody another and no program of this machine is likely to listen on all addresses.
    private func ownPort(_ daemon: PrivateDaemon) -> Int { 20_000 + daemon.number % 500 * 4 }

    /// An address of loopback that no other test publishes on.
    private func ownAddress(_ daemon: PrivateDaemon) -> String { "127.88.\(daemon.number % 250).1" }

    @Test func aPortOnOneAddressAnswersThereAndNowhereElse() async throws {
        try await PrivateDaemon.with { daemon in
            let here = gateway(daemon), own = ownAddress(daemon)
            for (address, others) in [("127.0.0.1", [here, own]), (own, ["127.0.0.1", here]), (here, ["127.0.0.1"])] {
                try await daemon.must(
                    "run", "-d", "--name", "web", "-p", "\(address):0:80", "busybox", "sh", "-c", Self.server(80))
                let number = try await port(daemon, "web")
                try await eventually("the page on \(address)") {
                    try await fetch("http://\(address):\(number)/").output == "80\n"
                }
                for other in others {
                    #expect(
                        try await fetch("http://\(other):\(number)/").code == 7, "\(other), published on \(address)")
                }
                try await daemon.must("rm", "-f", "web")
            }
        }
    }

    @Test func aRangeIsPublishedPortByPortAndTheContainerReachesItsOwn() async throws {
        try await PrivateDaemon.with { daemon in
            let own = ownAddress(daemon), first = ownPort(daemon)
            try await daemon.must(
                "run", "-d", "--name", "web", "-p", "\(own):\(first)-\(first + 2):80-82", "-p", "0:80", "busybox", "sh",
                "-c",
                Self.server(80, 81, 82))
            for (outside, inside) in [(first, 80), (first + 1, 81), (first + 2, 82)] {
                try await eventually("the page of port \(inside)") {
                    try await fetch("http://\(own):\(outside)/").output == "\(inside)\n"
                }
            }
            let listed = try await daemon.must("port", "web").lines
            #expect(listed.count == 4)
            #expect(listed.contains("82/tcp -> \(own):\(first + 2)"))
            let everywhere = try #require(
                listed.first { $0.hasPrefix("80/tcp -> 0.0.0.0:") }?.split(separator: ":").last)
            // Through an address of the host and back to whoever asks; and from the loopback of another network namespace not.
            let hairpin = try await daemon.must(
                "exec", "web", "wget", "-qO-", "http://\(gateway(daemon)):\(everywhere)/")
            #expect(hairpin.output == "80\n")
            let astray = try await daemon.skiff("exec", "web", "wget", "-qO-", "http://\(own):\(first)/")
            #expect(astray.code == 1 && astray.errors.contains("Connection refused"))
        }
    }

    @Test func theSecondContainerForAPortIsRefusedAndStartsWhenTheFirstIsGone() async throws {
        let link = Mutex("")
        try await PrivateDaemon.with { daemon in
            let own = "\(ownAddress(daemon)):\(ownPort(daemon))"
            let wish = own + ":80"
            let name = try await bridge(daemon)
            link.withLock { $0 = name }
            @Sendable func ends() throws -> Int {
                let directory = try open("/sys/class/net/\(name)/brif", O_RDONLY | O_DIRECTORY)
                return try readDirectory(directory.raw).count
            }
            try await daemon.must("run", "-d", "--name", "one", "-p", wish, "busybox", "sleep", "1000")
            #expect(try ends() == 1)
            let two = try await daemon.skiff("run", "-d", "--name", "two", "-p", wish, "busybox", "sleep", "1000")
            #expect(two.code == 125)
            #expect(two.errors.contains("Bind for \(own) failed: port is already allocated"))
            #expect(try await daemon.must("inspect", "-f", "{{.State.Status}}", "two").line == "created")
            try await eventually("the refused container's interface to go") { try ends() == 1 }
            // The same port on another address, and for another transport, is another port.
            try await daemon.must(
                "run", "-d", "--name", "udp", "-p", wish + "/udp", "-p", "127.0.0.1:0:80", "busybox", "sleep", "1000")
            try await daemon.must("rm", "-f", "one")
            try await daemon.must("start", "two")
            #expect(try await daemon.must("port", "two").line == "80/tcp -> \(own)")
        }
        let name = link.withLock { $0 }
        #expect(!name.isEmpty && !exists("/sys/class/net/\(name)"), "the bridge outlived its daemon")
    }
}
