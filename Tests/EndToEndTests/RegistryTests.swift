import Archive
import CLinux
import FakeRegistry
import Linux
import OCI
import Testing

/// Images carried through a real registry: Debian's docker-registry on loopback.
@Suite(
    .serialized, .enabled(if: isRoot, "an engine needs root"),
    .enabled(if: LocalRegistry.program != nil, "docker-registry is not installed"))
struct RegistryTests {
    @Test func whatIsPushedComesBackTheSame() async throws {
        try await PrivateDaemon.with { daemon in
            try await LocalRegistry.with(daemon) { registry in
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

    @Test func onlyWhoLogsInPushesAndPulls() async throws {
        try await PrivateDaemon.with { daemon in
            try await LocalRegistry.with(daemon, asksForName: true) { registry in
                let name = "\(registry)/locked/boat:1"
                try await daemon.must("tag", "busybox", name)
                let anonymous = try await daemon.skiff("push", name)
                #expect(anonymous.code == 1 && anonymous.errors.contains("no basic auth credentials"))
                let wrong = try await daemon.skiff("login", "-u", LocalRegistry.user, "-p", "guess", registry)
                #expect(wrong.code == 1 && wrong.errors.contains("unauthorized"), "\(wrong.errors)")
                let denied = try await daemon.skiff("pull", name)
                #expect(denied.code == 1 && denied.errors.contains("pull access denied"), "\(denied.errors)")
                try await daemon.must(
                    "login", "-u", LocalRegistry.user, "--password-stdin", registry,
                    input: LocalRegistry.password + "\n")
                try await daemon.must("push", name)
                try await daemon.must("rmi", name)
                try await daemon.must("pull", name)
                #expect(try await daemon.must("run", "--rm", name, "echo", "in").line == "in")
                // The secret is nowhere but in the client's own file.
                let log = daemon.log(lines: 10_000)
                #expect(!log.contains(LocalRegistry.password))
                try await daemon.must("logout", registry)
                #expect(try await daemon.skiff("push", name).code == 1)
            }
        }
    }

    @Test func zstdLayersGoThereAndBack() async throws {
        try await PrivateDaemon.with { daemon in
            let base = try await readFile(PrivateDaemon.busyboxArchive(in: daemon.home))
            let image = try TestImage(
                tars: [base, TestImage.tar(["cargo": noise(300_000)])], packed: [.zstd])
            try await LocalRegistry.with(daemon) { registry in
                let name = "\(registry)/packed:1"
                try writeFile(daemon.home + "/packed.tar", try image.dockerArchive(names: [name]))
                try await daemon.must("load", "-i", daemon.home + "/packed.tar")
                try await daemon.must("push", name)
                try await daemon.must("rmi", name)
                let before = try names(daemon.root + "/content/blobs/sha256")
                #expect(image.layers.allSatisfy { !before.contains($0.descriptor.digest.hex) })
                try await daemon.must("pull", name)
                let after = try names(daemon.root + "/content/blobs/sha256")
                #expect(image.layers.allSatisfy { after.contains($0.descriptor.digest.hex) }, "byte for byte")
                #expect(try await daemon.must("run", "--rm", name, "wc", "-c", "/cargo").line == "300000 /cargo")
            }
        }
    }

    private func names(_ path: String) throws -> Set<String> {
        let directory = try open(path, O_RDONLY | O_DIRECTORY)
        return Set(try readDirectory(directory.raw).map(\.name.text))
    }

    @Test func anotherDaemonPullsWhatOnePushed() async throws {
        try await PrivateDaemon.with { first in
            try await LocalRegistry.with(first) { registry in
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
