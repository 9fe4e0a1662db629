import CLinux
import Linux
import Testing

/// Published ports, names and isolation between networks.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"))
struct NetworkTests {
    private static let server = "mkdir /www; echo page > /www/index.html; exec httpd -f -p 80 -h /www"

    private func fetch(_ url: String) async throws -> Finished {
        try await Program.run(Program.find("curl") ?? "/usr/bin/curl", ["-fsS", "-m", "60", url])
    }

    @Test func aPublishedPortIsReachedFromTheHostAndFromContainers() async throws {
        try await PrivateDaemon.with { daemon in
            try await daemon.must("run", "-d", "--name", "web", "-p", "0:80", "busybox", "sh", "-c", Self.server)
            let port =
                try await daemon.must("port", "web", "80").lines[0].split(separator: ":").last.map(String.init) ?? ""
            try await eventually("the page on 127.0.0.1") {
                try await fetch("http://127.0.0.1:\(port)/").output == "page\n"
            }
            let gateway = daemon.bridgeAddress.split(separator: "/")[0]
            #expect(try await fetch("http://\(gateway):\(port)/").output == "page\n")
            let other = try await daemon.must("run", "--rm", "busybox", "wget", "-qO-", "http://\(gateway):\(port)/")
            #expect(other.output == "page\n")
            let taken = try await daemon.skiff("run", "-d", "-p", "\(port):80", "busybox", "sleep", "1")
            #expect(taken.code == 125)
            #expect(taken.errors.contains("port is already allocated"))
            try await daemon.must("rm", "-f", "web")
            #expect(try await fetch("http://127.0.0.1:\(port)/").code != 0)
        }
    }

    @Test func namesAreResolvedOnUserNetworksOnly() async throws {
        try await PrivateDaemon.with { daemon in
            try await daemon.must("network", "create", "sea")
            try await daemon.must(
                "run", "-d", "--name", "web", "--network", "sea", "--network-alias", "harbour", "busybox", "sh", "-c",
                Self.server)
            try await eventually("the page by name") {
                try await daemon.skiff("run", "--rm", "--network", "sea", "busybox", "wget", "-qO-", "http://web/")
                    .output == "page\n"
            }
            #expect(
                try await daemon.must("run", "--rm", "--network", "sea", "busybox", "wget", "-qO-", "http://harbour/")
                    .output == "page\n")
            let unknown = try await daemon.skiff("run", "--rm", "busybox", "wget", "-qO-", "http://web/")
            #expect(unknown.code == 1 && unknown.errors.contains("bad address"))
            let address = try await daemon.must(
                "inspect", "-f", "{{(index .NetworkSettings.Networks \"sea\").IPAddress}}", "web"
            ).line
            // By a signal, which says that nobody answered; and not wget's own -T, with which a static busybox crashes.
            let across = try await daemon.skiff(
                "run", "--rm", "busybox", "sh", "-c", "timeout 2 wget -qO- http://\(address)/; exit $?")
            #expect(across.code == 143, "networks are apart from one another")
            let busy = try await daemon.skiff("network", "rm", "sea")
            #expect(busy.code != 0 && busy.errors.contains("active endpoints"))
            try await daemon.must("rm", "-f", "web")
            try await daemon.must("network", "rm", "sea")
        }
    }

    @Test func hostAndNoneAreWhatTheySay() async throws {
        try await PrivateDaemon.with { daemon in
            let none = try await daemon.must("run", "--rm", "--network", "none", "busybox", "ls", "/sys/class/net")
                .lines
            #expect(none == ["lo"])
            let host = try await daemon.must(
                "run", "--rm", "--network", "host", "busybox", "readlink", "/proc/self/ns/net"
            ).line
            let own = try readLink("/proc/self/ns/net")
            #expect(host == own)
        }
    }
}
