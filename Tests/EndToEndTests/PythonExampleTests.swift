import CLinux
import Linux
import Testing

/// The example in `examples/python`, from a mirror of Debian to a page that a browser could fetch.
@Suite(
    .serialized, .enabled(if: isRoot, "an engine needs root"),
    .enabled("debootstrap is missing, or the mirror that apt is configured for does not answer") {
        await PythonExample.isPossible
    })
struct PythonExampleTests {
    @Test func aServiceIsBuiltOnDebianAndItsDataOutlivesIt() async throws {
        let base = try await PythonExample.baseArchive()
        try await PrivateDaemon.with(image: false) { daemon in
            try await daemon.must("import", "--change", "CMD [\"bash\"]", base, "debian")
            let built = try await PythonExample.build(daemon, "-t", "visits")
            #expect(built.output.contains("Setting up python3 "), "apt-get ran inside the container")

            try await daemon.must("network", "create", "harbour")
            try await daemon.must("volume", "create", "visits")
            let service = ["run", "-d", "--network", "harbour", "-m", "128m", "-v", "visits:/data", "-p", "0:8000"]
            #expect(try await daemon.skiff(service + ["--name", "visits", "visits"]).code == 0)
            let port = try await publishedPort(daemon, "visits")
            try await eventually("the first page on 127.0.0.1") {
                try await fetch("http://127.0.0.1:\(port)/").output == "visit 1\n"
            }
            let address = String(daemon.bridgeAddress.prefix { $0 != "/" })
            #expect(try await fetch("http://\(address):\(port)/").output == "visit 2\n")
            let client = "import urllib.request; print(urllib.request.urlopen('http://visits:8000/').read().decode())"
            let neighbour = try await daemon.must(
                "run", "--rm", "--network", "harbour", "visits", "python3", "-c", client)
            #expect(neighbour.line == "visit 3")

            let limit = "134217728"
            let facts = try await daemon.must(
                "inspect", "-f", "{{.HostConfig.Memory}} {{index .Config.Labels \"maintainer\"}} {{.Config.User}}",
                "visits")
            #expect(facts.line == "\(limit) skiff@example.org nobody")
            let group = try await daemon.must(
                "exec", "visits", "sh", "-c",
                "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max")
            #expect(group.line == limit)
            let glutton = try await daemon.skiff(
                "run", "-m", "64m", "--name", "glutton", "visits", "python3", "-c", "bytearray(200 << 20)")
            #expect(glutton.code == 137)
            #expect(try await daemon.must("inspect", "-f", "{{.State.OOMKilled}}", "glutton").line == "true")

            try await daemon.must("rm", "-f", "visits")
            #expect(try await fetch("http://127.0.0.1:\(port)/").code != 0)
            #expect(try await daemon.skiff(service + ["--name", "again", "visits"]).code == 0)
            let second = try await publishedPort(daemon, "again")
            try await eventually("the count to go on") {
                try await fetch("http://127.0.0.1:\(second)/").output == "visit 4\n"
            }
            let counter = try await daemon.must("run", "--rm", "-v", "visits:/v:ro", "debian", "cat", "/v/visits")
            #expect(counter.line == "4")

            let repeated = try await PythonExample.build(daemon, "-t", "visits")
            let steps = repeated.lines.filter { $0.hasPrefix("Step ") }.count
            #expect(repeated.lines.filter { $0 == " ---> Using cache" }.count == steps - 1, "all steps but FROM")
            #expect(!repeated.output.contains("Running in"))
            #expect(
                repeated.lines.last { $0.hasPrefix("Successfully built") }
                    == built.lines.last {
                        $0.hasPrefix("Successfully built")
                    })
            try await daemon.must("rm", "-f", "again")
            try await daemon.must("volume", "rm", "visits")
            try await datagrams(daemon)
        }
    }

    /// A published UDP port answers to whom it is published, and to nobody else.
    private func datagrams(_ daemon: PrivateDaemon) async throws {
        let echo = """
            import socket
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 9000)); print('ready', flush=True)
            while True: data, peer = s.recvfrom(100); s.sendto(b'echo ' + data, peer)
            """
        let ask = """
            import socket, sys
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(int(sys.argv[3]))
            try: s.sendto(b'ahoy', (sys.argv[1], int(sys.argv[2]))); print(s.recv(100).decode())
            except OSError: print('nothing')
            """
        let address = String(daemon.bridgeAddress.prefix { $0 != "/" })
        for (published, onLoopback, onAddress) in [
            ("0:9000/udp", "echo ahoy", "echo ahoy"), ("127.0.0.1:0:9000/udp", "echo ahoy", "nothing"),
        ] {
            try await daemon.must("run", "-d", "--name", "echo", "-p", published, "visits", "python3", "-c", echo)
            try await eventually("the echo to be ready") { try await daemon.must("logs", "echo").line == "ready" }
            let port = try await publishedPort(daemon, "echo")
            for (host, answer) in [("127.0.0.1", onLoopback), (address, onAddress)] {
                // An answer may take its time; that there is none is believed sooner.
                let asked = try await daemon.must(
                    "run", "--rm", "--network", "host", "visits", "python3", "-c", ask, host, port,
                    answer == "nothing" ? "2" : "60")
                #expect(asked.line == answer, "\(published) at \(host)")
            }
            try await daemon.must("rm", "-f", "-v", "echo")
        }
    }

    private func publishedPort(_ daemon: PrivateDaemon, _ container: String) async throws -> String {
        let first = try await daemon.must("port", container).lines.first
        return try #require(first?.split(separator: ":").last.map(String.init))
    }

    private func fetch(_ url: String) async throws -> Finished {
        try await Program.run(Program.find("curl") ?? "/usr/bin/curl", ["-fsS", "-m", "60", url])
    }
}

/// The example and its base image.
private enum PythonExample {
    /// Minutes: all of Debian's packages come over the network, from a mirror of unknown speed.
    private static let patience = 1200

    static var directory: String {
        let tests = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return "/\(tests)/examples/python"
    }

    static var isPossible: Bool {
        get async {
            guard isRoot, Program.find("debootstrap") != nil, let curl = Program.find("curl"),
                let mirror = try? await mirror()
            else { return false }
            let answer = try? await Program.run(
                curl, ["-fsSI", "-m", "30", "-o", "/dev/null", "\(mirror.address)/dists/\(mirror.suite)/Release"])
            return answer?.code == 0
        }
    }

    /// What `make-base` takes; nil where apt has no mirror of this system's release.
    private static func mirror() async throws -> (suite: String, address: String)? {
        guard let apt = Program.find("apt-get") else { return nil }
        let suite = try readText("/etc/os-release").split(separator: "\n")
            .first { $0.hasPrefix("VERSION_CODENAME=") }?.drop { $0 != "=" }.dropFirst()
        let targets = try await Program.run(apt, ["indextargets", "--format", "$(RELEASE) $(REPO_URI)"])
        for line in targets.lines {
            let words = line.split(separator: " ")
            guard words.count == 2, words[0] == suite else { continue }
            // A mirror need not take `//` for `/`.
            return (String(words[0]), String(words[1].hasSuffix("/") ? words[1].dropLast() : words[1]))
        }
        return nil
    }

    /// The base image as a tar, made once on a machine for each mirror and each form of the script.
    static func baseArchive() async throws -> String {
        let mirror = try #require(try await mirror())
        let script = directory + "/make-base"
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in try readFile(script) + Array(mirror.address.utf8) {
            hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
        }
        // In a folder that only root can write to, or it is not used.
        let folder = "/var/tmp/skiff-tests"
        try makeDirectories(folder, mode: 0o700)
        let owner = try status(folder)
        try #require(
            owner.isDirectory && owner.st_uid == 0 && owner.st_mode & 0o022 == 0, "\(folder) is somebody else's")
        let archive = "\(folder)/\(mirror.suite)-\(String(hash, radix: 16)).tar"
        if !exists(archive) {
            // A mirror may fail once.
            var made = try await Program.run("/bin/sh", [script, archive], seconds: patience)
            for _ in 0..<2 where made.code != 0 {
                made = try await Program.run("/bin/sh", [script, archive], seconds: patience)
            }
            try #require(made.code == 0, "make-base: code \(made.code): \(made.errors)")
        }
        return archive
    }

    static func build(_ daemon: PrivateDaemon, _ flags: String...) async throws -> Finished {
        func run() async throws -> Finished {
            try await Program.run(
                Program.builds + "/skiff", ["build"] + flags + [directory], environment: ["SKIFF_HOST=\(daemon.host)"],
                seconds: patience)
        }
        var built = try await run()
        for _ in 0..<2 where built.code != 0 { built = try await run() }
        try #require(built.code == 0, "skiff build: code \(built.code): \(built.output.suffix(2000))\(built.errors)")
        return built
    }
}
