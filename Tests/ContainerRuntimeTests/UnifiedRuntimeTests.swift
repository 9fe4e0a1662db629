import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// What the runtime does with cgroup v2, which `make vm-test` has a machine for.
@Suite(
    .serialized,
    .enabled(
        if: geteuid() == 0 && exists("/sys/fs/cgroup/cgroup.controllers"),
        "cgroup v2 is not what this host has: make vm-test"))
struct UnifiedRuntimeTests {
    private let bundle: Bundle

    init() throws { bundle = try Bundle() }

    /// Only a process that is born in a group is counted there before it exists: one that is moved into it may exceed.
    @Test func aProcessIsBornInItsGroup() throws {
        defer { bundle.remove() }
        let result = try bundle.run("echo ran") { $0.linux.resources.unified["pids.max"] = "0" }
        #expect(result.code != 0)
        #expect(result.errors.contains("clone3"), "\(result.errors)")
        #expect(!result.output.contains("ran"))
        #expect(!exists("/sys/fs/cgroup/skiff-\(bundle.id)"), "a failed start leaves no group")
    }

    @Test func unifiedResourcesAreFilesOfTheGroup() throws {
        defer { bundle.remove() }
        let result = try bundle.run("sleep 1000 & sleep 1000 & sleep 1000 & sleep 1000") {
            $0.linux.resources.unified = ["memory.high": "50331648", "pids.max": "3"]
        }
        #expect(result.errors.contains("can't fork"))
        let unknown = try bundle.run("echo ran") { $0.linux.resources.unified["memory.nonsense"] = "1" }
        #expect(unknown.code != 0)
        #expect(unknown.errors.contains("memory.nonsense"))
        let outside = try bundle.run("echo ran") { $0.linux.resources.unified["../cgroup.procs"] = "1" }
        #expect(outside.code != 0)
        #expect(outside.errors.contains("../cgroup.procs"))
    }

    @Test func theFrozenAreToldApartAndKilledWhole() throws {
        defer { bundle.remove() }
        try bundle.write(command: ["sh", "-c", "sleep 1000 & sleep 1000"])
        #expect(try bundle.runtime("create", "--bundle", bundle.path, bundle.id).code == 0)
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        let group = try Cgroup(path: "/skiff-\(bundle.id)", layout: CgroupLayout.detect())
        #expect(try bundle.runtime("pause", bundle.id).code == 0)
        #expect(group.isFrozen())
        #expect(try bundle.state() == "paused")
        try group.kill()
        #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
        #expect(!exists("/sys/fs/cgroup/skiff-\(bundle.id)"))
    }

    @Test func aDividedGroupIsCountedAndRemovedWhole() throws {
        let path = "/skiff-\(bundle.id)"
        defer { bundle.remove() }
        let group = try Cgroup(path: path, layout: CgroupLayout.detect())
        try group.create(RuntimeSpec.Resources())
        for inner in ["/a", "/a/b", "/a/b/c", "/d"] { try makeDirectory("/sys/fs/cgroup\(path)\(inner)") }
        let pid = try Spawn("/bin/busybox", arguments: ["sleep", "1000"]).start()
        try writeControl("/sys/fs/cgroup\(path)/a/b/c/cgroup.procs", "\(pid)")
        #expect(try group.processes() == [pid])
        try group.kill()
        _ = try PidFD(pid).wait()
        try group.delete()
        #expect(!exists("/sys/fs/cgroup\(path)"))
    }
}
