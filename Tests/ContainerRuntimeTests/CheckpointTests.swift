import CLinux
import JSON
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Whether this host's CRIU can do its work.
enum InstalledCRIU {
    /// CRIU 3.17, Debian 12's, does not know the vdso of kernels much newer than itself.
    static let works: Bool = {
        guard geteuid() == 0, exists("/usr/sbin/criu"), let release = try? systemNames().release else { return false }
        let numbers = release.split(separator: ".").prefix(2).compactMap { Int($0) }
        return numbers.count == 2 && (numbers[0] == 5 || numbers[0] == 6 && numbers[1] < 6)
    }()
}

/// Containers that are dumped and restored by the real CRIU; what its options are for is in `CheckpointOptionTests.swift`.
@Suite(.serialized, .enabled(if: InstalledCRIU.works, "CRIU is missing or older than this kernel: make vm-test"))
struct CheckpointTests {
    let bundle: Bundle
    var images: String { bundle.path + "/images" }

    init() throws { bundle = try Bundle() }

    /// A program that counts as long as it lives, and can be seen to.
    static let counter =
        "i=0; while true; do i=$((i+1)); echo $i > /tmp/new; mv /tmp/new /tmp/count; sleep 0.02; done"

    func start(
        _ script: String = counter, mounts: [RuntimeSpec.Mount] = [], _ change: (inout RuntimeSpec) -> Void = { _ in }
    ) throws {
        try makeSymlink("\(bundle.path)/rootfs/bin/mv", to: "busybox")
        try bundle.write(command: ["sh", "-c", script], mounts: mounts, change)
        let made = try bundle.runtime("run", "--detach", "--bundle", bundle.path, bundle.id)
        try #require(made.code == 0, "\(made.errors)")
    }

    func checkpoint(_ more: String...) throws -> Bundle.Output {
        try bundle.runtime(["checkpoint", "--image-path", images] + more + [bundle.id])
    }

    func restore(_ more: String..., as id: String? = nil) throws -> Bundle.Output {
        try bundle.runtime(
            ["restore", "--detach", "--bundle", bundle.path, "--image-path", images] + more + [id ?? bundle.id])
    }

    /// The count once it has gone beyond a number.
    func count(beyond last: Int = 0) throws -> Int {
        let changes = try Inotify()
        _ = try changes.add(bundle.path + "/rootfs/tmp", [.movedTo])
        while true {
            if let number = current(), number > last { return number }
            try #require(try poll([(changes.raw, Int16(POLLIN))], timeout: 180_000)[0] != 0, "nothing counts")
            _ = try changes.events()
        }
    }

    func current() -> Int? {
        (try? readText(bundle.path + "/rootfs/tmp/count")).flatMap { Int($0.split(separator: "\n").first ?? "") }
    }

    @Test func aRestoredProcessGoesOnWhereItWas() throws {
        defer { bundle.remove() }
        try start { $0.annotations["org.example.a"] = "b" }
        let before = try bundle.document()
        _ = try count(beyond: 3)
        let dumped = try checkpoint()
        try #require(dumped.code == 0, "\(dumped.errors)")
        #expect(bundle.leftNothing, "a container that was dumped is gone")
        let stopped = try #require(current())

        let file = bundle.path + "/pid"
        let restored = try restore("--pid-file", file)
        try #require(restored.code == 0, "\(restored.errors)")
        let after = try bundle.document()
        #expect(after["status"]?.stringValue == "running")
        #expect(after["pid"]?.intValue != before["pid"]?.intValue)
        #expect(after["annotations"]?["org.example.a"]?.stringValue == "b")
        #expect(try readText(file) == "\(try #require(after["pid"]?.intValue))")
        let isLost = try readText("/proc/\(try #require(after["pid"]?.intValue))/status").contains("NoNewPrivs:\t0")
        #expect(restored.errors.contains("has not restored noNewPrivileges") == isLost, "what is lost is said")
        let first = try count(beyond: stopped)
        #expect(first < stopped + 1000, "it counts on, not anew")
        #expect(try bundle.runtime("exec", bundle.id, "true").code == 0)
        #expect(try bundle.runtime("kill", bundle.id, "KILL").code == 0)
        #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
        #expect(bundle.leftNothing)
    }

    @Test func leaveRunningLeavesItRunning() throws {
        defer { bundle.remove() }
        try start()
        let pid = try bundle.document()["pid"]?.intValue
        #expect(try checkpoint("--leave-running", "--work-path", bundle.path + "/work").code == 0)
        #expect(exists(bundle.path + "/work/dump.log") && !exists(images + "/dump.log"))
        #expect(try bundle.state() == "running")
        #expect(try bundle.document()["pid"]?.intValue == pid)
        _ = try count(beyond: current() ?? 0)
    }

    @Test func aDumpBehindAPreDumpHoldsOnlyWhatChanged() throws {
        defer { bundle.remove() }
        try start()
        _ = try count(beyond: 3)
        let first = try bundle.runtime("checkpoint", "--pre-dump", "--image-path", bundle.path + "/first", bundle.id)
        try #require(first.code == 0, "\(first.errors)")
        #expect(try bundle.state() == "running")
        _ = try count(beyond: current() ?? 0)
        let dumped = try checkpoint("--parent-path", "../first")
        try #require(dumped.code == 0, "\(dumped.errors)")
        #expect(try readLink(images + "/parent") == "../first")
        let stopped = try #require(current())
        let restored = try restore()
        try #require(restored.code == 0, "\(restored.errors)")
        _ = try count(beyond: stopped)
    }

    @Test func aTerminalComesBackOverTheConsoleSocket() throws {
        defer { bundle.remove() }
        let directory = try open(bundle.path, O_PATH | O_DIRECTORY)
        let listener = try listenForStreams(in: directory.raw, "console", mode: 0o600, group: nil)
        try bundle.write(command: ["sh", "-c", "while read line; do echo heard $line; done"]) {
            $0.process?.terminal = true
        }
        let socket = ["--console-socket", bundle.path + "/console"]
        let made = try bundle.runtime(["run", "--detach", "--bundle", bundle.path] + socket + [bundle.id])
        try #require(made.code == 0, "\(made.errors)")
        let first = try #require(try bundle.received(listener.raw)).descriptor
        try writeAll(first.raw, "one\n")
        #expect(try read(first.raw, until: "heard one"))
        let dumped = try checkpoint()
        try #require(dumped.code == 0, "\(dumped.errors)")

        #expect(try restore().errors.contains("--console-socket"), "a terminal needs somebody to have it")
        let restored = try bundle.runtime(
            ["restore", "--detach", "--bundle", bundle.path, "--image-path", images] + socket + [bundle.id])
        try #require(restored.code == 0, "\(restored.errors)")
        let second = try #require(try bundle.received(listener.raw)).descriptor
        try writeAll(second.raw, "two\n")
        #expect(try read(second.raw, until: "heard two"))
    }

    private func read(_ terminal: Int32, until words: String) throws -> Bool {
        var seen = ""
        while !seen.contains(words) {
            guard try poll([(terminal, Int16(POLLIN))], timeout: 180_000)[0] != 0 else { return false }
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = try buffer.withUnsafeMutableBytes { try Linux.read(terminal, into: $0) }
            seen += String(decoding: buffer[..<count], as: UTF8.self)
        }
        return true
    }

    @Test func bindsAreFoundAgainWithWhatIsMountedBelowThem() throws {
        defer { bundle.remove() }
        let source = bundle.path + "/source"
        for directory in ["below", "inner"] { try makeDirectories(source + "/" + directory) }
        try writeFile(source + "/file", Array("outside\n".utf8))
        try writeFile(source + "/below/file", Array("deep\n".utf8))
        try makeSymlink(bundle.path + "/rootfs/link", to: "/real")
        try start(
            "exec 5</data/file 6</data/inner/file; \(Self.counter)",
            mounts: [
                RuntimeSpec.Mount(destination: "/data", type: "bind", source: source, options: ["rbind", "ro"]),
                RuntimeSpec.Mount(destination: "/link/x", type: "bind", source: source, options: ["bind"]),
                RuntimeSpec.Mount(destination: "/ram", type: "tmpfs", source: "tmpfs", options: ["size=1m"]),
                RuntimeSpec.Mount(destination: "/ram/in", type: "bind", source: "source", options: ["bind"]),
                RuntimeSpec.Mount(
                    destination: "/data/inner", type: "bind", source: source + "/below", options: ["bind"]),
            ])
        _ = try count()
        let dumped = try checkpoint()
        try #require(dumped.code == 0, "\(dumped.errors)")
        // As on another host: what a start had made in the root file system is not there.
        try removeTree(bundle.path + "/rootfs/real")
        let stopped = try #require(current())
        let restored = try restore()
        try #require(restored.code == 0, "\(restored.errors)")
        _ = try count(beyond: stopped)
        let seen = try bundle.runtime(
            "exec", bundle.id, "sh", "-c", "cat /data/file /data/inner/file /real/x/file /ram/in/file; touch /data/no")
        #expect(seen.output == "outside\ndeep\noutside\noutside\n")
        #expect(seen.errors.contains("Read-only file system"))
    }

    @Test func aRestoreUnderAnotherNameHasACgroupOfItsOwn() throws {
        let other = bundle.id + "-b"
        defer {
            _ = try? bundle.runtime("delete", "--force", other)
            bundle.remove()
        }
        try start { $0.linux.cgroupsPath = nil }
        _ = try count()
        #expect(try checkpoint("--manage-cgroups-mode", "ignore").code == 0)
        let restored = try restore("--manage-cgroups-mode", "ignore", as: other)
        try #require(restored.code == 0, "\(restored.errors)")
        let state = try JSON.parse(Array(bundle.runtime("state", other).output.utf8))
        let pid = try #require(state["pid"]?.intValue)
        #expect(try readText("/proc/\(pid)/cgroup").contains("/skiff-runtime/\(other)\n"))
    }

    @Test func namespacesFromOutsideStayWhatTheyAre() throws {
        defer { bundle.remove() }
        // A process that holds the network namespace.
        let cloned = try clone(.network)
        if cloned.isChild {
            while true { _ = try? poll([], timeout: 60_000) }
        }
        let holder = PidFD(owning: OwnedDescriptor(owning: cloned.pidfd))
        defer {
            try? holder.send(SIGKILL)
            _ = try? holder.wait()
        }
        let path = "/proc/\(cloned.pid)/ns/net"
        try start { spec in
            spec.linux.namespaces = [.init(.mount), .init(.pid), .init(.ipc), .init(.uts), .init(.network, path: path)]
        }
        _ = try count()
        let dumped = try checkpoint()
        try #require(dumped.code == 0, "\(dumped.errors)")
        let restored = try restore()
        try #require(restored.code == 0, "\(restored.errors)")
        let pid = try #require(try bundle.document()["pid"]?.intValue)
        #expect(try readLink("/proc/\(pid)/ns/net") == readLink(path))
    }

    @Test func aUserNamespaceIsRestoredFromAClosedFolder() throws {
        defer { bundle.remove() }
        for directory in ["", "/rootfs", "/rootfs/tmp"] { try setMode(of: bundle.path + directory, 0o777) }
        for name in ["/out", "/err"] {
            try writeFile(bundle.path + name, [])
            try setMode(of: bundle.path + name, 0o666)
        }
        try start { spec in
            spec.linux.namespaces.append(.init(.user))
            spec.linux.uidMappings = [.init(container: 0, host: 200_000, size: 65536)]
            spec.linux.gidMappings = [.init(container: 0, host: 200_000, size: 65536)]
            spec.mounts.removeAll { $0.destination == "/dev/pts" }
        }
        _ = try count()
        let dumped = try checkpoint()
        try #require(dumped.code == 0, "\(dumped.errors)")
        let stopped = try #require(current())
        let restored = try restore()
        try #require(restored.code == 0, "\(restored.errors)")
        _ = try count(beyond: stopped)
        let folder = try status(images)
        #expect(folder.permissions == 0o700 && folder.st_gid == getegid(), "the folder is closed again")
        let pid = try #require(try bundle.document()["pid"]?.intValue)
        #expect(try readText("/proc/\(pid)/uid_map").contains("200000"))
    }

    private func setMode(of path: String, _ mode: mode_t) throws {
        let file = try open(path, O_RDONLY)
        try Linux.setMode(file.raw, mode)
    }

    @Test func aProcessThatCannotBeDumpedGoesOn() throws {
        defer { bundle.remove() }
        // A file of the host's that is no standard stream: nobody could say where it is.
        let outside = try open(bundle.path + "/config", O_RDWR | O_CREAT, mode: 0o600)
        try makeSymlink("\(bundle.path)/rootfs/bin/mv", to: "busybox")
        try bundle.write(command: ["sh", "-c", Self.counter])
        let made = try bundle.runtime(
            ["run", "--detach", "--preserve-fds", "1", "--bundle", bundle.path, bundle.id], passing: [(outside.raw, 3)])
        try #require(made.code == 0, "\(made.errors)")
        _ = try count()
        let dumped = try checkpoint()
        #expect(dumped.code == 1)
        #expect(dumped.errors.contains("criu could not dump the container; ") && dumped.errors.contains("Error (criu/"))
        #expect(dumped.errors.contains("Can't lookup mount"), "\(dumped.errors)")
        #expect(try bundle.state() == "running")
        _ = try count(beyond: current() ?? 0)
        #expect(!exists(images + "/descriptors.json"))
    }

    @Test func damagedImagesLeaveNothing() throws {
        defer { bundle.remove() }
        try start()
        _ = try count()
        #expect(try checkpoint().code == 0)
        try writeFile(images + "/pstree.img", Array("no image".utf8))
        let restored = try restore()
        #expect(restored.code == 1)
        #expect(restored.errors.contains("criu could not restore the container; "), "\(restored.errors)")
        #expect(restored.errors.contains("Error (criu/"), "\(restored.errors)")
        #expect(bundle.leftNothing)
    }

    @Test func aRestoreInTheForegroundEndsAsTheProgramDoes() throws {
        defer { bundle.remove() }
        try start("trap 'exit 7' USR1; \(Self.counter)")
        _ = try count()
        #expect(try checkpoint().code == 0)
        let stopped = try #require(current())
        // Files take the place of files: CRIU holds their type and mode against those that were.
        let output = try open(bundle.path + "/out", O_WRONLY), errors = try open(bundle.path + "/err", O_WRONLY)
        let program = try Spawn(
            Bundle.program(),
            arguments: [
                "skiff-runtime", "--root", bundle.path + "/state", "restore", "--bundle", bundle.path, "--image-path",
                images, bundle.id,
            ], descriptors: [(output.raw, 1), (errors.raw, 2)]
        ).start()
        let process = try PidFD(program)
        _ = try count(beyond: stopped)
        #expect(try bundle.runtime("kill", bundle.id, "USR1").code == 0)
        #expect(try process.wait() == .exited(7))
        #expect(bundle.leftNothing)
    }

    @Test func aPausedContainerIsDumpedToo() throws {
        defer { bundle.remove() }
        try start()
        _ = try count()
        #expect(try bundle.runtime("pause", bundle.id).code == 0)
        let dumped = try checkpoint()
        try #require(dumped.code == 0, "\(dumped.errors)")
        #expect(bundle.leftNothing)
        let stopped = try #require(current())
        #expect(try restore().code == 0)
        _ = try count(beyond: stopped)
    }
}
