import CLinux
import Linux
import Testing

/// Attacks by what an image or a volume holds, through the engine; each is named by its advisory.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"), .oneDaemon())
struct ImageAttackTests {
    private let daemon: PrivateDaemon
    /// A directory of the host's that nothing may reach.
    private let canary: String

    init() throws {
        daemon = try #require(OneDaemon.current)
        canary = daemon.home + "/canary"
        if !exists(canary) { try makeDirectory(canary, mode: 0o700) }
        try writeFile(canary + "/file", Array("canary".utf8), mode: 0o600)
    }

    private func expectCanaryUntouched(at location: SourceLocation = #_sourceLocation) throws {
        let directory = try open(canary, O_RDONLY | O_DIRECTORY)
        #expect(try readDirectory(directory.raw).map(\.name.text) == ["file"], sourceLocation: location)
        #expect(try readText(canary + "/file") == "canary", sourceLocation: location)
        #expect(try status(canary + "/file").permissions == 0o600, sourceLocation: location)
    }

    /// Busybox with links where an engine and a runtime put things.
    private func importImage(_ name: String, links: [(path: String, target: String)]) async throws {
        let tar = try #require(Program.find("tar"))
        let folder = daemon.home + "/links", archive = daemon.home + "/links.tar"
        defer { try? removeTree(folder) }
        try writeFile(
            archive, readFile(try await PrivateDaemon.busyboxArchive(in: daemon.home), limit: 64 << 20))
        for link in links {
            try makeDirectories(folder + link.path.split(separator: "/").dropLast().map { "/" + $0 }.joined())
            try makeSymlink(folder + link.path, to: link.target)
        }
        let made = try await Program.run(tar, ["-C", folder, "-rf", archive] + links.map { "." + $0.path })
        try #require(made.code == 0, "\(made.errors)")
        try await daemon.must("import", archive, name)
        try unlink(archive)
    }

    /// CVE-2024-5154: an image whose `/etc/mtab`, or a file the engine writes, is a link to the host.
    @Test func theFilesOfTheEngineAreNotWrittenBehindLinks() async throws {
        let names = ["hosts", "hostname", "resolv.conf", "mtab"]
        try await importImage("etc-links", links: names.map { ("/etc/" + $0, canary + "/" + $0) })
        let result = try await daemon.must(
            "run", "--rm", "--hostname", "harbour", "etc-links", "cat", "/etc/hostname", "/etc/hosts")
        #expect(result.lines.first == "harbour" && result.output.contains("localhost"), "\(result.output)")
        try expectCanaryUntouched()
        await daemon.removeEverything()
    }

    /// CVE-2026-41579, CVE-2026-47766: an image whose `/dev` is a link to the host.
    @Test func devicesAreNotMadeBehindALink() async throws {
        try await importImage("dev-link", links: [("/dev", canary)])
        _ = try await daemon.skiff("run", "--rm", "-t", "--device", "/dev/null:/dev/deep/made", "dev-link", "true")
        try expectCanaryUntouched()
        await daemon.removeEverything()
    }

    /// CVE-2019-19921, CVE-2023-27561: an image whose `/proc` is a link.
    @Test func anImageWithALinkForProcDoesNotStart() async throws {
        try await importImage("proc-link", links: [("/proc", "/tmp")])
        let result = try await daemon.skiff("run", "--rm", "proc-link", "echo", "ran")
        #expect(result.code == 125 && !result.output.contains("ran"))
        #expect(result.errors.contains("/proc, which must be mounted on ordinary directory"), "\(result.errors)")
        await daemon.removeEverything()
    }

    /// CVE-2019-16884, CVE-2015-3630, CVE-2015-3631: a volume over `/proc` or a part of it.
    @Test(arguments: ["/proc", "/proc/sys", "/proc/self/attr", "//proc/../proc"])
    func noVolumeTakesThePlaceOfProc(target: String) async throws {
        for flags in [["-v", "\(canary):\(target)"], ["-v", "named:\(target)"], ["--tmpfs", target]] {
            let result = try await daemon.skiff(["run", "--rm"] + flags + ["busybox", "echo", "ran"])
            #expect(result.code == 125 && !result.output.contains("ran"), "\(flags): \(result.output)")
        }
        try expectCanaryUntouched()
        await daemon.removeEverything()
    }

    /// CVE-2015-3629: a container that has put a link to the host in the place of a volume's destination, and starts again.
    @Test func aDestinationThatBecameALinkStaysInside() async throws {
        let script = "test -d /old || { mv /mnt /old && ln -s \(canary) /mnt; }; cat /proc/self/mountinfo"
        try await daemon.must("run", "--name", "again", "-v", "cargo:/mnt/place", "busybox", "sh", "-c", script)
        let again = try await daemon.must("start", "-a", "again")
        #expect(again.output.contains("\(canary)/place "), "mounted at its place inside: \(again.output)")
        try expectCanaryUntouched()
        await daemon.removeEverything()
    }

    /// CVE-2021-30465: two containers that share a volume, one of which exchanges the other's destination for a link.
    @Test func aDestinationInASharedVolumeStaysInside() async throws {
        // Busybox cannot exchange, but what is renamed over is seen as one or the other as well.
        let script = """
            mkdir -p /shared/real /shared/place; ln -s \(canary) /shared/link
            while :; do mv /shared/place /shared/real/; mv /shared/link /shared/place
            mv /shared/place /shared/link; mv /shared/real/place /shared/; done 2>/dev/null
            """
        try await daemon.must("run", "-d", "--name", "mover", "-v", "shared:/shared", "busybox", "sh", "-c", script)
        for _ in 0..<25 {
            _ = try await daemon.skiff(
                "run", "--rm", "-v", "shared:/shared", "--tmpfs", "/shared/place/made", "busybox", "true")
        }
        try expectCanaryUntouched()
        await daemon.removeEverything()
    }
}
