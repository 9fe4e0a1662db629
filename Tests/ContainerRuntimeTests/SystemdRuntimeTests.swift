import CLinux
import JSON
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// The systemd cgroup driver with Debian's systemd, for which `Tests/vm/run --systemd` has a machine.
@Suite(
    .serialized,
    .enabled(
        if: geteuid() == 0 && exists("/run/systemd/private") && exists("/sys/fs/cgroup/cgroup.controllers"),
        "systemd on cgroup v2 is not what this host has: Tests/vm/run --systemd"))
struct SystemdRuntimeTests {
    private let bundle: Bundle
    private let unit: String
    private let group: String

    init() throws {
        bundle = try Bundle()
        unit = "skiff-\(bundle.id).scope"
        group = "/sys/fs/cgroup/skiff.slice/skiff-test.slice/\(unit)"
    }

    private func write(_ script: String, _ change: (inout RuntimeSpec) -> Void = { _ in }) throws {
        try bundle.write(command: ["sh", "-c", script]) {
            $0.linux.cgroupsPath = "skiff-test.slice:skiff:\(bundle.id)"
            change(&$0)
        }
    }

    private func start(_ script: String = "sleep 1000", _ change: (inout RuntimeSpec) -> Void = { _ in }) throws {
        try write(script, change)
        let made = try bundle.runtime("--systemd-cgroup", "run", "--detach", "--bundle", bundle.path, bundle.id)
        try #require(made.code == 0, "\(made.errors)")
    }

    /// What a program says.
    private func output(_ program: String, _ arguments: String...) throws -> Bundle.Output {
        let file = bundle.path + "/said"
        let said = try open(file, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        let pid = try Spawn(
            program, arguments: [program] + arguments, environment: ["PATH=/usr/bin:/bin:/sbin"],
            descriptors: [(said.raw, 1), (said.raw, 2)]
        ).start()
        let end = try PidFD(pid).wait()
        let text = try readText(file)
        return Bundle.Output(code: end?.code ?? -1, output: text, errors: text)
    }

    private func property(_ name: String) throws -> String {
        try output("/bin/systemctl", "show", "--value", "-p", name, unit).output.trimmedLine
    }

    private func file(_ name: String) throws -> String { try readText("\(group)/\(name)").trimmedLine }

    private func expectNothingLeft() throws {
        // systemd forgets a unit when it comes to it.
        let deadline = Clock.monotonicMilliseconds() + 120_000
        while try property("ActiveState") != "inactive" || exists(group), Clock.monotonicMilliseconds() < deadline {
            _ = try poll([], timeout: 20)
        }
        #expect(try property("ActiveState") == "inactive")
        #expect(!exists(group))
        #expect(bundle.leftNothing)
    }

    private static let limits: @Sendable (inout RuntimeSpec) -> Void = {
        $0.linux.resources.memory.limit = 64 << 20
        $0.linux.resources.memory.swap = 128 << 20
        $0.linux.resources.memory.reservation = 32 << 20
        ($0.linux.resources.cpu.shares, $0.linux.resources.pidsLimit) = (512, 50)
        ($0.linux.resources.cpu.quota, $0.linux.resources.cpu.period) = (25_000, 50_000)
        ($0.linux.resources.cpu.cpus, $0.linux.resources.cpu.mems) = ("0-1", "0")
        $0.linux.resources.blockIO.weight = 500
    }

    @Test func aScopeIsDelegatedAndHasItsLimitsInSystemdAndInItsFiles() throws {
        defer { bundle.remove() }
        try start("sleep 1000", Self.limits)
        for (name, value) in [
            ("ActiveState", "active"), ("Delegate", "yes"), ("Slice", "skiff-test.slice"),
            ("Description", "container \(bundle.id)"), ("DefaultDependencies", "no"),
            ("CollectMode", "inactive-or-failed"), ("MemoryMax", "\(64 << 20)"), ("MemorySwapMax", "\(64 << 20)"),
            ("MemoryLow", "\(32 << 20)"), ("CPUWeight", "59"), ("TasksMax", "50"), ("CPUQuotaPerSecUSec", "500ms"),
            ("CPUQuotaPeriodUSec", "50ms"), ("AllowedCPUs", "0-1"), ("AllowedMemoryNodes", "0"), ("IOWeight", "4950"),
            ("DevicePolicy", "strict"),
        ] {
            #expect(try property(name) == value, "\(name)")
        }
        for (name, value) in [
            ("memory.max", "\(64 << 20)"), ("memory.swap.max", "\(64 << 20)"), ("memory.low", "\(32 << 20)"),
            ("cpu.weight", "59"), ("pids.max", "50"), ("cpu.max", "25000 50000"), ("cpuset.cpus", "0-1"),
        ] {
            #expect(try file(name) == value, "\(name)")
        }
        // The process that held the scope open is gone.
        let pid = try #require(bundle.document()["pid"]?.intValue)
        #expect(try readProcesses(group + "/cgroup.procs").contains(pid_t(pid)))
        #expect(try readProcesses(group + "/cgroup.procs").allSatisfy { exists("/proc/\($0)/root/bin/busybox") })
        #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
        try expectNothingLeft()
    }

    /// Who has kept it open until there was a process is not left there, and not to whoever called.
    @Test func onlyItsOwnProcessIsInAScopeThatWasCreated() throws {
        defer { bundle.remove() }
        try write("sleep 1000") { _ in }
        let made = try bundle.runtime("--systemd-cgroup", "create", "--bundle", bundle.path, bundle.id)
        #expect(made.code == 0, "\(made.errors)")
        let pid = try #require(bundle.document()["pid"]?.intValue)
        #expect(try readProcesses(group + "/cgroup.procs") == [pid_t(pid)])
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
        try expectNothingLeft()
    }

    /// systemd writes the files anew when it is reloaded: what it was not told would be gone.
    @Test func anUpdateIsKeptThroughAReload() throws {
        defer { bundle.remove() }
        try start("sleep 1000", Self.limits)
        let update = try bundle.runtime(
            "update", "--memory", "96m", "--memory-swap", "100m", "--cpu-quota", "10000", "--pids-limit", "60",
            "--cpuset-cpus", "1", "--cpu-share", "1024", bundle.id)
        #expect(update.code == 0, "\(update.errors)")
        for _ in 0..<2 {
            for (name, value) in [
                ("MemoryMax", "\(96 << 20)"), ("MemorySwapMax", "\(4 << 20)"), ("CPUQuotaPerSecUSec", "200ms"),
                ("TasksMax", "60"), ("AllowedCPUs", "1"), ("CPUWeight", "100"), ("MemoryLow", "\(32 << 20)"),
            ] {
                #expect(try property(name) == value, "\(name)")
            }
            for (name, value) in [
                ("memory.max", "\(96 << 20)"), ("memory.swap.max", "\(4 << 20)"), ("cpu.max", "10000 50000"),
                ("pids.max", "60"), ("cpuset.cpus", "1"), ("cpu.weight", "100"), ("memory.low", "\(32 << 20)"),
            ] {
                #expect(try file(name) == value, "\(name)")
            }
            #expect(try output("/bin/systemctl", "daemon-reload").code == 0)
        }
    }

    @Test func everydayVerbsWorkInAScope() throws {
        defer { bundle.remove() }
        try write("sleep 1000")
        #expect(try bundle.runtime("--systemd-cgroup", "create", "--bundle", bundle.path, bundle.id).code == 0)
        #expect(try bundle.state() == "created")
        #expect(try property("ActiveState") == "active")
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        #expect(try bundle.runtime("exec", bundle.id, "cat", "/proc/self/cgroup").output == "0::/\n")
        #expect(try bundle.runtime("pause", bundle.id).code == 0)
        #expect(try bundle.state() == "paused")
        #expect(try file("cgroup.freeze") == "1")
        #expect(try bundle.runtime("resume", bundle.id).code == 0)
        #expect(try bundle.state() == "running")
        let pid = try #require(bundle.document()["pid"]?.intValue)
        #expect(try bundle.runtime("kill", bundle.id, "KILL").code == 0)
        #expect(try bundle.waitForEnd(pid_t(pid)))
        #expect(try bundle.state() == "stopped")
        #expect(try bundle.runtime("delete", bundle.id).code == 0)
        try expectNothingLeft()
    }

    @Test func aForegroundRunEndsWithItsScope() throws {
        defer { bundle.remove() }
        try write("echo ran; exit 7")
        let result = try bundle.runtime("--systemd-cgroup", "run", "--bundle", bundle.path, bundle.id)
        #expect(result.output == "ran\n")
        #expect(result.code == 7)
        try expectNothingLeft()
    }

    @Test func aStopBySystemdEndsTheContainer() throws {
        defer { bundle.remove() }
        try start("trap 'exit 0' TERM; while :; do sleep 0.1; done")
        let pid = try #require(bundle.document()["pid"]?.intValue)
        #expect(try output("/bin/systemctl", "stop", unit).code == 0)
        // A process leaves its group just before its end.
        #expect(try bundle.waitForEnd(pid_t(pid)))
        #expect(try bundle.state() == "stopped")
        #expect(try bundle.runtime("delete", bundle.id).code == 0)
        try expectNothingLeft()
    }

    @Test func aNameInUseIsRefusedAndUnharmed() throws {
        defer { bundle.remove() }
        try start()
        let second = try bundle.runtime(
            "--systemd-cgroup", "run", "--detach", "--bundle", bundle.path, bundle.id + "-2")
        #expect(second.code != 0)
        #expect(second.errors.contains(unit), "\(second.errors)")
        #expect(try bundle.state() == "running")
        #expect(try property("ActiveState") == "active")
        #expect(!exists("\(bundle.path)/state/\(bundle.id)-2"))
    }

    @Test func whatFailsOnTheWayLeavesNothing() throws {
        defer { bundle.remove() }
        let changes: [(String, (inout RuntimeSpec) -> Void)] = [
            ("no-such-program", { $0.process?.arguments = ["/no-such-program"] }),
            ("cpuset.cpus", { $0.linux.resources.cpu.cpus = "0-999" }),
            ("Nonsense", { $0.annotations["org.systemd.property.Nonsense"] = "1" }),
            ("TimeoutStopSec", { $0.annotations["org.systemd.property.TimeoutStopSec"] = "soon" }),
            ("slice:prefix:name", { $0.linux.cgroupsPath = "/skiff-\(bundle.id)" }),
        ]
        for (words, change) in changes {
            try write("true", change)
            let result = try bundle.runtime("--systemd-cgroup", "run", "--bundle", bundle.path, bundle.id)
            #expect(result.code != 0)
            #expect(result.errors.contains(words), "\(result.errors)")
            try expectNothingLeft()
        }
    }

    @Test func annotationsArePropertiesOfTheUnit() throws {
        defer { bundle.remove() }
        try start("sleep 1000") {
            $0.annotations["org.systemd.property.TimeoutStopSec"] = "7"
            $0.annotations["org.systemd.property.After"] = "['dbus.service']"
        }
        #expect(try property("TimeoutStopUSec") == "7s")
        #expect(try property("After").contains("dbus.service"))
    }

    /// systemd's own rules and ours both have to let a process at a device.
    @Test func devicesAreThoseOfTheDocument() throws {
        defer { bundle.remove() }
        for allowed in [true, false] {
            try write("true < /dev/disk && echo opened; true < /dev/zero && echo zero") {
                $0.linux.devices = [
                    .init(type: "b", path: "/dev/disk", major: 254, minor: 0),
                    .init(type: "c", path: "/dev/zero", major: 1, minor: 5),
                ]
                $0.linux.resources.devices = [
                    .init(allow: false), .init(allow: allowed, type: "b", major: 254, minor: 0, access: "r"),
                ]
            }
            let result = try bundle.runtime("--systemd-cgroup", "run", "--bundle", bundle.path, bundle.id)
            #expect(result.output == (allowed ? "opened\nzero\n" : "zero\n"), "\(result.errors)")
        }
    }

    /// Over the bus where systemd's own socket is out of reach, and not at all where both are.
    @Test(arguments: [(["/run/systemd"], true), (["/run/systemd", "/run/dbus"], false)])
    func theBusIsTheOtherWay(_ hidden: [String], _ works: Bool) throws {
        defer { bundle.remove() }
        try write("echo ran")
        let hide = hidden.map { "mount -t tmpfs none \($0)" }.joined(separator: " && ")
        let result = try output(
            "/bin/busybox", "unshare", "-m", "sh", "-c",
            "mount --make-rprivate / && \(hide) && exec \(Bundle.program()) --root \(bundle.path)/state "
                + "--systemd-cgroup run --bundle \(bundle.path) \(bundle.id)")
        #expect((result.code == 0) == works, "\(result.output)")
        #expect(result.output.contains(works ? "ran" : "no systemd answers"), "\(result.output)")
        try expectNothingLeft()
    }

    /// A user's own systemd makes the scope, and moves the process there where the user may not: from a login's group.
    @Test(arguments: ["systemd-run --user --scope --quiet ", ""])
    func anOrdinaryUsersSystemdMakesTheScope(_ place: String) throws {
        let runtimeFolder = "/run/user/1000"
        try #require(exists(runtimeFolder + "/systemd/private"))
        defer { bundle.remove() }
        try bundle.write(command: ["sh", "-c", "sleep 1000"]) {
            $0.linux.cgroupsPath = ":skiff:\(bundle.id)"
            $0.linux.namespaces.removeAll { $0.kind == .network }
            $0.linux.namespaces.append(.init(.user))
            $0.linux.uidMappings = [.init(container: 0, host: 1000, size: 1)]
            $0.linux.gidMappings = [.init(container: 0, host: 1000, size: 1)]
            $0.mounts.removeAll { $0.destination != "/proc" }
            $0.linux.resources.memory.limit = 64 << 20
            $0.linux.resources.pidsLimit = 20
        }
        #expect(try output("/bin/busybox", "chown", "-R", "1000:1000", bundle.path).code == 0)
        let program = try Bundle.program() + " --root \(bundle.path)/state"
        let script = """
            set -e
            \(program) --systemd-cgroup run --detach --bundle \(bundle.path) \(bundle.id) >/dev/null </dev/null 2>&1
            systemctl --user show -p MemoryMax,TasksMax,Delegate \(unit) | sort
            group=/sys/fs/cgroup$(systemctl --user show --value -p ControlGroup \(unit))
            cat $group/memory.max $group/pids.max
            grep -q . $group/cgroup.procs && echo inside
            \(program) exec \(bundle.id) cat /proc/self/cgroup
            \(program) update --memory 32m \(bundle.id)
            systemctl --user show -p MemoryMax \(unit)
            cat $group/memory.max
            \(program) delete --force \(bundle.id)
            systemctl --user show --value -p ActiveState \(unit)
            [ ! -e $group ] && echo gone
            """
        try writeFile(bundle.path + "/script", Array(script.utf8), mode: 0o644)
        let result = try output(
            "/bin/busybox", "su", "-s", "/bin/sh", "user", "-c",
            "XDG_RUNTIME_DIR=\(runtimeFolder) exec \(place)sh \(bundle.path)/script")
        #expect(
            result.output.split(separator: "\n").map(String.init) == [
                "Delegate=yes", "MemoryMax=67108864", "TasksMax=20", "67108864", "20", "inside", "0::/",
                "MemoryMax=33554432",
                "33554432",
                "inactive", "gone",
            ], "\(result.output)")
    }

    /// systemd shares every mount: what is mounted for a container must not be seen from outside.
    @Test func noMountOfAContainersIsTheHosts() throws {
        defer { bundle.remove() }
        try start()
        #expect(try !readText("/proc/self/mountinfo").contains(bundle.id))
    }
}

/// Where no systemd is.
@Suite(
    .enabled(
        if: geteuid() == 0 && !exists("/run/systemd/private") && !exists("/run/dbus/system_bus_socket"),
        "a systemd runs here"))
struct WithoutSystemdTests {
    @Test func theDriverIsRefusedWithAWayOut() throws {
        let bundle = try Bundle()
        defer { bundle.remove() }
        try bundle.write(command: ["true"]) { $0.linux.cgroupsPath = "a.slice:skiff:\(bundle.id)" }
        let result = try bundle.runtime("--systemd-cgroup", "run", "--bundle", bundle.path, bundle.id)
        #expect(result.code == 1)
        #expect(result.errors.contains("no systemd answers"), "\(result.errors)")
        #expect(result.errors.contains("/run/systemd/private"), "\(result.errors)")
        #expect(bundle.leftNothing)
    }

    @Test func intelRDTIsRefusedWhereNoResctrlIsMounted() throws {
        let bundle = try Bundle()
        defer { bundle.remove() }
        let result = try bundle.run("true") { $0.linux.intelRDT = RuntimeSpec.IntelRDT() }
        #expect(result.code == 1)
        #expect(result.errors.contains("mount -t resctrl"), "\(result.errors)")
        #expect(bundle.leftNothing)
    }
}
