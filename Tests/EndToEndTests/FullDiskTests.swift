import Archive
import CLinux
import FakeRegistry
import Linux
import Testing

/// The daemon's disk is full: one line names it, nothing is half-made, and all works again once there is room.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"))
struct FullDiskTests {
    /// A daemon whose data root is a disk of its own.
    private func withSmallDisk(
        _ megabytes: Int, _ body: (PrivateDaemon, SmallDisk) async throws -> Void
    ) async throws {
        try await SmallDisk.with(megabytes: megabytes) { disk in
            try await PrivateDaemon.with(root: disk.path + "/data") { daemon in try await body(daemon, disk) }
        }
    }

    /// Expects a failure of one line that names the disk.
    private func expectFull(
        _ finished: Finished, _ daemon: PrivateDaemon, code: Int32 = 1, at location: SourceLocation = #_sourceLocation
    ) {
        #expect(finished.code == code, "\(finished.output)\(finished.errors)", sourceLocation: location)
        let lines = finished.errors.split(separator: "\n").filter { $0.contains("no space left on device") }
        #expect(lines.count == 1, "\(finished.errors)", sourceLocation: location)
        #expect(
            lines.allSatisfy { $0.contains(daemon.root) && $0.contains("full") }, "the disk is not named: \(lines)",
            sourceLocation: location)
    }

    /// About as much as before is free: a database may have grown by a few pages.
    private func expectRoom(_ disk: SmallDisk, as before: Int, _ what: String) async throws {
        try await eventually("\(what): the room to be free again") { try disk.free() > before - (1 << 20) }
    }

    /// Busybox, and more than fits.
    private func cargo(_ daemon: PrivateDaemon) async throws -> TestImage {
        let base = try await readFile(PrivateDaemon.busyboxArchive(in: daemon.home))
        return try TestImage(
            tars: [base, TestImage.tar(["a": noise(2_000_000)]), TestImage.tar(["b": noise(2_000_000, seed: 2)])],
            packed: [.gzip, .zstd, .none])
    }

    @Test func pullAndLoad() async throws {
        try await withSmallDisk(160) { daemon, disk in
            let image = try await cargo(daemon)
            let served = ServedImage(image, tag: "1")
            try await LittleServer.with({ served.answer($0) }) { server in
                let name = "\(server.address)/cargo:1"
                let archive = daemon.home + "/cargo.tar"
                try writeFile(archive, try image.dockerArchive(names: [name]))
                for arguments in [["pull", name], ["load", "-i", archive]] {
                    try disk.fill(leaving: 5 << 20)
                    let before = try disk.free()
                    expectFull(try await daemon.skiff(arguments), daemon)
                    try await expectRoom(disk, as: before, arguments[0])
                    #expect(try await daemon.must("images", "-q").lines.count == 1)
                    try await Inventory(daemon: daemon).check("\(arguments[0]) on a full disk")
                    try disk.makeRoom()
                    let again = try await daemon.skiff(arguments)
                    #expect(again.code == 0, "\(arguments[0]) with room again: \(again.errors)")
                    #expect(try await daemon.must("run", "--rm", name, "wc", "-c", "/b").line == "2000000 /b")
                    try await daemon.must("rmi", name)
                    try await Inventory(daemon: daemon).check("\(arguments[0]) with room again")
                }
            }
        }
    }

    @Test func build() async throws {
        try await withSmallDisk(160) { daemon, disk in
            let folder = daemon.home + "/context"
            try makeDirectories(folder)
            try writeFile(folder + "/load", [UInt8](repeating: 1, count: 3 << 20))
            for (step, text) in [
                ("COPY", "FROM busybox\nCOPY load /\n"),
                ("RUN", "FROM busybox\nRUN dd if=/dev/zero of=/big bs=1M count=4 && cp /big /bigger\n"),
            ] {
                try writeFile(folder + "/Dockerfile", Array(text.utf8))
                // The context alone would fit.
                try disk.fill(leaving: 5 << 20)
                let before = try disk.free()
                let failed = try await daemon.skiff("build", "-t", "big", folder)
                if step == "COPY" {
                    expectFull(failed, daemon)
                } else {
                    // There it is the program in the container that meets the full disk, and says so.
                    #expect(failed.code != 0 && (failed.output + failed.errors).contains("No space left on device"))
                }
                try await expectRoom(disk, as: before, step)
                #expect(try await daemon.must("images", "-aq").lines.count == 1)
                try await Inventory(daemon: daemon).check("\(step) on a full disk")
                try disk.makeRoom()
                let again = try await daemon.skiff("build", "-t", "big", folder)
                #expect(again.code == 0, "\(step) with room again: \(again.errors)")
                try await daemon.must("rmi", "big")
            }
        }
    }

    @Test func createAndStart() async throws {
        try await withSmallDisk(120) { daemon, disk in
            try await daemon.must("create", "--name", "ready", "-v", "filled:/bin", "busybox", "sleep", "1000")
            try disk.fill()
            // The database has room of its own: what needs no more than a row still works, removals above all.
            try await daemon.must("create", "--name", "spare", "busybox")
            try await daemon.must("rm", "spare")
            expectFull(try await daemon.skiff("start", "ready"), daemon)
            #expect(
                try await daemon.must("inspect", "-f", "{{.State.Status}} {{.State.Running}}", "ready").line
                    == "created false")
            try await Inventory(daemon: daemon).check("create and start on a full disk")
            // A daemon that dies comes back, full disk or not.
            try await daemon.stop(SIGKILL)
            try await daemon.start()
            try await Inventory(daemon: daemon).check("a new daemon on a full disk")
            try disk.makeRoom()
            try await daemon.must("start", "ready")
            let there = try await daemon.must("exec", "ready", "ls", "/bin").lines.count
            #expect(there > 100, "the volume was filled half-way: \(there) files")
        }
    }

    @Test func aContainerThatWritesLogsGoesOn() async throws {
        try await withSmallDisk(120) { daemon, disk in
            try await daemon.must(
                "run", "-d", "--name", "talker", "busybox", "sh", "-c",
                // Not as fast as it can: the room that is made must last.
                "while [ ! -e /dev/shm/end ]; do yes a line that needs room | head -n 200; sleep 0.02; done; "
                    + "echo last words; exit 42")
            try disk.fill()
            try await eventually("the full disk to be noticed") {
                daemon.log(lines: 200).contains("no space left on device")
            }
            let state = "{{.State.Status}} {{.State.ExitCode}}"
            #expect(try await daemon.must("inspect", "-f", state, "talker").line == "running 0")
            try disk.makeRoom()
            try await daemon.must("exec", "talker", "touch", "/dev/shm/end")
            #expect(try await daemon.must("wait", "talker").line == "42")
            let logged = try await daemon.must("logs", "talker").lines
            #expect(logged.last == "last words", "the log goes on where there is room again")
            #expect(logged.dropLast().allSatisfy { $0 == "a line that needs room" }, "no half lines")
        }
    }

    @Test func whatEndsOnAFullDiskIsWrittenDown() async throws {
        try await withSmallDisk(120) { daemon, disk in
            try await daemon.must(
                "run", "-d", "--name", "quiet", "--log-driver", "none", "busybox", "sh", "-c",
                "while [ ! -e /dev/shm/end ]; do sleep 0.05; done; exit 42")
            try disk.fill()
            try await daemon.must("exec", "quiet", "touch", "/dev/shm/end")
            #expect(try await daemon.must("wait", "quiet").line == "42")
            try await daemon.stop(SIGKILL)
            try await daemon.start()
            #expect(try await daemon.must("inspect", "-f", "{{.State.ExitCode}}", "quiet").line == "42")
            try await daemon.must("rmi", "-f", "busybox")
            try await daemon.must("rm", "quiet")
            try await eventually("room to be made by removing") { try disk.free() > 1 << 20 }
        }
    }
}
