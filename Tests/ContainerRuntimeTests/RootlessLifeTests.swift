import CLinux
import JSON
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// A life of an ordinary user's container, from create to delete.
@Suite(.serialized, .enabled(if: Bundle.canRun, "becoming a user needs root"))
struct RootlessLifeTests {
    private let bundle: UserBundle

    init() throws { bundle = try UserBundle() }

    @Test func aContainerLivesAndEnds() throws {
        defer { bundle.remove() }
        let pid = try bundle.create("trap 'exit 7' TERM; while :; do sleep 0.05; done")
        #expect(try status(bundle.stateFolder).permissions == 0o700)
        #expect(try status(bundle.stateFolder).st_uid == UserBundle.user)
        #expect(try bundle.document()["status"]?.stringValue == "created")
        let early = try bundle.runtime("exec", bundle.id, "true")
        #expect(early.errors.contains("which only root may enter while it waits for its start"), "\(early.errors)")
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        #expect(try bundle.document()["owner"]?.stringValue == "skiff-user")
        #expect(try bundle.runtime("list", "--quiet").lines == [bundle.id])
        let inside = try bundle.runtime("exec", bundle.id, "sh", "-c", "id -u; readlink /proc/self/ns/pid; exit 9")
        #expect(inside.code == 9 && inside.lines.first == "0", "\(inside.errors)")
        #expect(inside.lines.last == (try readLink("/proc/\(pid)/ns/pid")))
        #expect(try bundle.runtime("exec", "--tty", bundle.id, "sh", "-c", "ls /dev/pts").output.contains("0"))
        let groups = try bundle.runtime("exec", "-g", "5", bundle.id, "true")
        #expect(groups.errors.contains("additional groups, which this user namespace does not allow"))
        let stranger = try bundle.runtime("exec", "--user", "70000", bundle.id, "true")
        #expect(stranger.errors.contains("70000, which this user namespace does not map"), "\(stranger.errors)")
        #expect(try bundle.runtime("ps", "--format=json", bundle.id).output.contains("\(pid)"))
        let pause = try bundle.runtime("pause", bundle.id)
        #expect(pause.errors.contains("it has no cgroup, since its user may make none"), "\(pause.errors)")
        #expect(try bundle.runtime("update", "--memory", "10m", bundle.id).errors.contains("it has no cgroup"))
        #expect(try bundle.runtime("kill", bundle.id, "TERM").code == 0)
        #expect(try bundle.bundle.waitForEnd(pid))
        #expect(try bundle.runtime("delete", bundle.id).code == 0)
        #expect(bundle.leftNothing)
    }

    @Test func everyProcessIsFoundWithoutACgroup() throws {
        defer { bundle.remove() }
        let pid = try bundle.create("sleep 1000 & sleep 1000 & wait")
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        let null = try open("/dev/null", O_RDWR)
        _ = try bundle.asUser(
            [bundle.path + "/program", "exec", "--detach", bundle.id, "sleep", "1000"], passing: [(null.raw, 0)])
        var seen: [Int64] = []
        // The shell makes its own while this looks.
        let deadline = Clock.monotonicMilliseconds() + 120_000
        while seen.count < 4, Clock.monotonicMilliseconds() < deadline {
            let listed = try JSON.parse(Array(bundle.runtime("ps", "--format=json", bundle.id).output.utf8))
            seen = listed.arrayValue?.compactMap(\.intValue) ?? []
        }
        #expect(seen.count == 4 && seen.contains(Int64(pid)))
        #expect(try bundle.runtime("kill", "--all", bundle.id, "KILL").code == 0)
        for number in seen { #expect(try bundle.bundle.waitForEnd(pid_t(number))) }
    }

    @Test func hooksRunAsTheUser() throws {
        defer { bundle.remove() }
        let record = bundle.path + "/run/record"
        func hook(_ name: String) -> RuntimeSpec.Hook {
            RuntimeSpec.Hook(
                path: "/bin/sh", arguments: ["sh", "-c", "echo \(name) $(id -u) >> \(record)"])
        }
        let result = try bundle.run("true") {
            $0.hooks.prestart = [hook("prestart")]
            $0.hooks.createRuntime = [hook("createRuntime")]
            $0.hooks.poststart = [hook("poststart")]
            $0.hooks.poststop = [hook("poststop")]
        }
        #expect(result.code == 0, "\(result.errors)")
        #expect(
            try readText(record).split(separator: "\n").map(String.init)
                == ["prestart", "createRuntime", "poststart", "poststop"].map { "\($0) 60010" })
    }

    @Test func filtersHoldWithoutNoNewPrivileges() throws {
        defer { bundle.remove() }
        let result = try bundle.run("mkdir /tmp/refused; grep Seccomp: /proc/self/status") {
            $0.process?.noNewPrivileges = false
            var seccomp = RuntimeSpec.Seccomp(defaultAction: "SCMP_ACT_ALLOW")
            seccomp.rules = [.init(names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO")]
            $0.linux.seccomp = seccomp
        }
        #expect(result.lines.last?.hasSuffix("2") == true, "\(result.errors)")
        #expect(!exists(bundle.path + "/rootfs/tmp/refused"))
    }
}
