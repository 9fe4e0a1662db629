import CLinux
import Linux
import Testing

/// A busy session leaves the machine as it found it: links, rules, mounts, cgroups, processes and files are counted.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"))
struct LeftoverTests {
    @Test func nothingIsLeftOfABusySession() async throws {
        try await PrivateDaemon.with(ownNetwork: true) { daemon in
            let before = try await prepare(daemon)
            try await work(daemon)
            let during = try Census(daemon)
            for (few, many) in zip(before.counts, during.counts) {
                #expect(few < many || few == 0, "a census that sees nothing proves nothing: \(before), then \(during)")
            }
            try await tidy(daemon)
            try await expectSame(daemon, before)
            try await daemon.stop()
            let after = try Census(daemon)
            #expect(after.links == ["lo"], "\(after.links)")
            #expect(after.rules.isEmpty && after.routes.count <= 1, "\(after.rules)")
            #expect(after.mounts.isEmpty && after.groups.isEmpty && after.processes.isEmpty, "\(after)")
            try await daemon.start()
            try await expectSame(daemon, before)
        }
    }

    @Test func whatADeadDaemonLeftIsFoundByTheNext() async throws {
        try await PrivateDaemon.with(ownNetwork: true) { daemon in
            let before = try await prepare(daemon)
            try await work(daemon)
            // A frozen process cannot die, as it could not when the machine does.
            try await daemon.must("unpause", "river-1")
            try await daemon.stop(SIGKILL)
            try await daemon.endContainers()
            try await daemon.start()
            try await tidy(daemon)
            try await expectSame(daemon, before)
        }
    }

    /// The default bridge, and whatever else is made once and for good at the first use.
    ///
    /// - Returns: what there is when a container more changes nothing.
    private func prepare(_ daemon: PrivateDaemon) async throws -> Census {
        try await daemon.must("network", "create", "once")
        try await daemon.must("run", "--rm", "--network", "once", "-p", "0:80", "-v", "/v", "busybox", "true")
        try await daemon.must("run", "--rm", "busybox", "true")
        try await daemon.must("network", "rm", "once")
        var before = try Census(daemon)
        for _ in 0..<20 {
            try await daemon.must("run", "--rm", "busybox", "true")
            // Bridges and files go behind the answer, and spare namespaces are made anew.
            try await eventually("what was removed to be gone") {
                let now = try Census(daemon)
                return now.links.allSatisfy { !$0.hasPrefix("br-") } && now.groups.isEmpty && now.processes.isEmpty
                    && !now.files.contains { $0.contains("/containers/") }
            }
            let now = try Census(daemon)
            if now == before { return now }
            before = now
        }
        throw NeverHappened(what: "a container that changes nothing")
    }

    /// What is compared settles in its own time: files go behind the answer, spare namespaces are made anew.
    private func expectSame(_ daemon: PrivateDaemon, _ before: Census) async throws {
        do {
            try await eventually("the census to be as before") { try Census(daemon) == before }
        } catch {
            let after = try Census(daemon)
            Issue.record("left: \(after.added(to: before)); gone: \(before.added(to: after)); \(before), then \(after)")
        }
    }

    private func work(_ daemon: PrivateDaemon) async throws {
        let server = "mkdir /www; echo page > /www/index.html; exec httpd -f -p 80 -h /www"
        for network in ["sea", "lake", "river"] {
            try await daemon.must("network", "create", network)
            for number in 1...2 {
                try await daemon.must(
                    "run", "-d", "--name", "\(network)-\(number)", "--network", network, "-p", "0:80", "-p", "0:53/udp",
                    "-v",
                    "\(network):/v", "-v", "/anonymous", "--tmpfs", "/scratch", "-m", "64m", "busybox", "sh", "-c",
                    server)
            }
        }
        try await daemon.must(
            "run", "-d", "--name", "plain", "-P", "--expose", "7000-7003", "--init", "busybox", "sleep", "600")
        try await daemon.must("network", "connect", "sea", "plain")
        try await daemon.must("network", "connect", "lake", "plain")
        try await daemon.must("network", "disconnect", "sea", "plain")
        try await daemon.must("run", "-d", "--name", "guest", "--network", "container:plain", "busybox", "sleep", "600")
        try await daemon.must(
            "run", "-d", "--name", "bare", "--network", "none", "--pid", "container:plain", "busybox", "sleep", "600")
        try await daemon.must(
            "run", "-d", "--name", "wide", "--network", "host", "--privileged", "busybox", "sleep", "600")
        try await daemon.must("exec", "-d", "plain", "sleep", "600")
        try await daemon.must("exec", "plain", "sh", "-c", "(sleep 600 &)")
        try await daemon.must("restart", "-t", "0", "sea-1")
        try await daemon.must("kill", "lake-1")
        try await daemon.must("pause", "river-1")
        for _ in 1...3 { try await daemon.must("run", "--rm", "--network", "river", "-p", "0:80", "busybox", "true") }
        // What fails half-way is undone.
        let taken = try await daemon.must("port", "sea-2", "80").lines[0].split(separator: ":").last ?? ""
        for words in [
            ["-p", "\(taken):80", "--network", "lake"], ["--network", "river", "--ip", "1.2.3.4"], ["-u", "stranger"],
            ["--entrypoint", "nosuchprogram", "-v", "fresh:/x"],
        ] {
            #expect(try await daemon.skiff(["run", "--rm"] + words + ["busybox", "true"]).code != 0)
        }
        let folder = daemon.home + "/context"
        try makeDirectories(folder)
        try writeFile(
            folder + "/Dockerfile",
            Array("FROM busybox\nRUN echo one > /one\nCOPY Dockerfile /two\nRUN cat /one /two\n".utf8))
        try await daemon.must("build", "-t", "built", folder)
        try writeFile(folder + "/Dockerfile", Array("FROM busybox\nRUN echo two > /one\nRUN false\n".utf8))
        #expect(try await daemon.skiff("build", folder).code == 1)
        try await daemon.must("run", "-d", "--name", "built", "built", "sleep", "600")
    }

    private func tidy(_ daemon: PrivateDaemon) async throws {
        let containers = try await daemon.must("ps", "-aq").lines
        let removal = try await daemon.skiff(["rm", "-f", "-v"] + containers)
        #expect(removal.code == 0, "\(removal)")
        try await daemon.must("network", "rm", "sea", "lake", "river")
        try await daemon.must("volume", "prune", "-af")
        try await daemon.must("rmi", "built")
        try await daemon.must("builder", "prune", "-af")
        try await daemon.must("image", "prune", "-f")
    }
}
