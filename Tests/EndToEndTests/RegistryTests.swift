import CLinux
import Linux
import Testing

/// Images carried through a real registry: Debian's docker-registry on loopback.
@Suite(
    .serialized, .enabled(if: isRoot, "an engine needs root"),
    .enabled(if: Program.find("docker-registry") != nil, "docker-registry is not installed"))
struct RegistryTests {
    /// Runs the registry in a folder of the daemon's for as long as the body takes.
    private func withRegistry(_ daemon: PrivateDaemon, _ body: (String) async throws -> Void) async throws {
        let port = 20000 + Int(getpid()) % 20000 + daemon.number % 100
        let folder = daemon.home + "/registry"
        try makeDirectories(folder)
        try writeFile(
            folder + "/config.yml",
            Array(
                """
                version: 0.1
                log: {level: error}
                http: {addr: "127.0.0.1:\(port)"}
                storage: {filesystem: {rootdirectory: \(folder)/data}}
                """.utf8))
        let program = try #require(Program.find("docker-registry"))
        let pid = try Spawn(program, arguments: ["docker-registry", "serve", folder + "/config.yml"]).start()
        func end() {
            kill(pid, SIGTERM)
            _ = try? PidFD(pid).wait()
        }
        do {
            try await eventually("the registry to answer") {
                try await Program.run(Program.find("curl") ?? "curl", ["-fsS", "http://127.0.0.1:\(port)/v2/"]).code
                    == 0
            }
            try await body("127.0.0.1:\(port)")
        } catch {
            end()
            throw error
        }
        end()
    }

    @Test func whatIsPushedComesBackTheSame() async throws {
        try await PrivateDaemon.with { daemon in
            try await withRegistry(daemon) { registry in
                let name = "\(registry)/fleet/boat:1"
                try await daemon.must("tag", "busybox", name)
                let pushed = try await daemon.must("push", name)
                #expect(pushed.output.contains("digest: sha256:"))
                try await daemon.must("rmi", name)
                let pulled = try await daemon.must("pull", name)
                #expect(pulled.output.contains("Downloaded newer image") || pulled.output.contains("up to date"))
                #expect(try await daemon.must("run", "--rm", name, "echo", "afloat").output == "afloat\n")
                let digests = try await daemon.must("inspect", "-f", "{{json .RepoDigests}}", name).output
                #expect(digests.contains("\(registry)/fleet/boat@sha256:"))
                let missing = try await daemon.skiff("pull", "\(registry)/fleet/submarine:1")
                #expect(missing.code != 0 && missing.errors.contains("submarine"))
            }
        }
    }

    @Test func anotherDaemonPullsWhatOnePushed() async throws {
        try await PrivateDaemon.with { first in
            try await withRegistry(first) { registry in
                let name = "\(registry)/shared:1"
                try await first.must("tag", "busybox", name)
                try await first.must("push", name)
                try await PrivateDaemon.with(image: false) { second in
                    #expect(try await second.must("run", "--rm", name, "echo", "pulled").output.hasSuffix("pulled\n"))
                    let again = try await second.must("pull", name)
                    #expect(again.output.contains("Image is up to date"))
                }
            }
        }
    }
}
