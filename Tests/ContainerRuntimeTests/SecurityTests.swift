import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// The attacks on a runtime that its own program and descriptors invite; each is named by its advisory.
@Suite(.serialized, .enabled(if: Bundle.canRun, "namespaces and mounts need root"))
struct SecurityTests {
    private let bundle: Bundle

    init() throws { bundle = try Bundle() }

    /// CVE-2019-5736: what a container can reach as the runtime's program is an empty file, which is never writable.
    @Test func theProgramIsNotReachedThroughAContainer() throws {
        defer { bundle.remove() }
        let pid = try bundle.create("true")
        // Whoever may trace the process, as one inside with CAP_SYS_PTRACE may: opened for reading, kept, opened again.
        let reached = try open("/proc/\(pid)/exe", O_RDONLY)
        let ours = try status(Bundle.program(), follow: true), theirs = try status(of: reached.raw)
        #expect(ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev, "it is not the program")
        #expect(theirs.st_size == 0)
        #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
        let again = try open(reached.procPath, O_RDWR)
        #expect(throws: SystemError.self) { try writeAll(again.raw, "overwritten") }
        #expect(throws: SystemError.self) { try check("ftruncate") { ftruncate(again.raw, 1) } }
    }

    /// CVE-2019-5736: nor while something enters the container.
    @Test func theProgramReachedThroughAnEnteringProcessCannotBeWritten() throws {
        defer { bundle.remove() }
        // Opened for reading while somebody runs it, kept, and written to as soon as nobody does. Were it the program, whoever
        // runs that meanwhile would also be told that it is busy (ETXTBSY), the attempt being refused or not.
        let script = """
            while :; do for exe in /proc/[0-9]*/exe; do
              (exec 3<$exe; n=0; while [ $n -lt 300 ]; do
                 n=$((n+1)); echo x >> /proc/self/fd/3 && echo overwritten >> /tmp/result
               done) 2>/dev/null &
            done; wait; done
            """
        _ = try bundle.create(script) { spec in
            spec.process?.capabilities?.bounding.append("CAP_SYS_PTRACE")
            spec.process?.capabilities?.effective.append("CAP_SYS_PTRACE")
            spec.process?.capabilities?.permitted.append("CAP_SYS_PTRACE")
        }
        let before = try status(Bundle.program(), follow: true)
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        for _ in 0..<20 { #expect(try bundle.runtime("exec", bundle.id, "true").code == 0) }
        // The program as the interpreter of a script, which runs as any other of the container's.
        try writeFile(
            bundle.path + "/rootfs/tmp/script", Array("#!/proc/self/exe --version\n".utf8), mode: 0o755)
        _ = try bundle.runtime("exec", bundle.id, "/tmp/script")
        #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
        let after = try status(Bundle.program(), follow: true)
        #expect(!exists(bundle.path + "/rootfs/tmp/result"))
        #expect(before.st_mtim.tv_sec == after.st_mtim.tv_sec && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec)
        #expect(before.st_size == after.st_size)
    }

    /// CVE-2019-5736: nor where the administrator lets no file in memory be run, which the empty one has to be.
    @Test(
        .enabled(
            if: exists("/proc/sys/vm/memfd_noexec") && access("/usr/bin/unshare", X_OK) == 0,
            "needs vm.memfd_noexec (Linux 6.3) and unshare"))
    func theProgramIsReadOnlyWhereTheEmptyFileIsRefused() throws {
        defer { bundle.remove() }
        try bundle.write(command: ["true"])
        // The setting is that of a pid namespace.
        let script = """
            set -e
            echo 2 > /proc/sys/vm/memfd_noexec
            runtime="$1 --root $2/state"
            $runtime create --bundle $2 $3 > /dev/null 2>&1
            pid=$($runtime state $3 | sed -n 's/.*"pid": *\\([0-9]*\\).*/\\1/p')
            exec 3< /proc/$pid/exe
            $runtime delete --force $3
            cmp /proc/self/fd/3 $1 && echo the program
            (echo x >> /proc/self/fd/3) 2> /dev/null || echo read-only
            """
        let out = bundle.path + "/out"
        let output = try open(out, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        let pid = try Spawn(
            "/usr/bin/unshare",
            arguments: [
                "unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", script, "-", Bundle.program(), bundle.path,
                bundle.id,
            ], environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], descriptors: [(output.raw, 1), (output.raw, 2)]
        ).start()
        _ = try PidFD(pid).wait()
        #expect(try readText(out) == "the program\nread-only\n")
    }

    /// A standard stream its caller has closed does not become one of what the runtime opens first.
    @Test func aClosedStreamIsNotTheProgramsMount() throws {
        defer { bundle.remove() }
        try bundle.write(command: ["sh", "-c", "ls -l /proc/self/fd > /tmp/result 2>&1"])
        let pid = try Spawn(
            "/bin/sh",
            arguments: [
                "sh", "-c",
                "exec \(try Bundle.program()) --root \(bundle.path)/state run --bundle \(bundle.path) \(bundle.id) <&- >&- 2>&-",
            ],
            environment: ["PATH=/usr/bin:/bin"]
        ).start()
        _ = try PidFD(pid).wait()
        let result = (try? readText(bundle.path + "/rootfs/tmp/result")) ?? ""
        #expect(!result.contains("skiff"), "\(result)")
    }

    /// CVE-2024-21626: a container has the three streams and what was handed to it.
    @Test func noDescriptorOfTheHostsIsLeftOpen() throws {
        defer { bundle.remove() }
        let result = try bundle.run("ls /proc/self/fd")
        // The fourth is the listing's own.
        #expect(result.lines == ["0", "1", "2", "3"])
        _ = try bundle.create("sleep 1000")
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        #expect(try bundle.runtime("exec", bundle.id, "ls", "/proc/self/fd").lines == ["0", "1", "2", "3"])
    }

    /// CVE-2021-43784: lists that are too long are refused as such.
    @Test func tooManyMappingsAreRefused() throws {
        defer { bundle.remove() }
        let result = try bundle.run("true") { spec in
            spec.linux.namespaces.append(.init(.user))
            spec.linux.uidMappings = (0..<5000).map { .init(container: $0, host: 100_000 + $0, size: 1) }
            spec.linux.gidMappings = [.init(container: 0, host: 100_000, size: 65536)]
        }
        #expect(result.code != 0)
        #expect(result.errors.contains("5000 ranges, 340 are allowed"))
        #expect(bundle.leftNothing)
    }

    /// CVE-2022-24769: nothing is inheritable, and a user that is not root has no rights but what is ambient.
    @Test func aUserHasNoRightsItWasNotGiven() throws {
        defer { bundle.remove() }
        let result = try bundle.run("grep Cap /proc/self/status") { spec in spec.process?.user.uid = 1000 }
        #expect(result.output.contains("CapInh:\t0000000000000000"))
        #expect(result.output.contains("CapEff:\t0000000000000000"))
    }
}
