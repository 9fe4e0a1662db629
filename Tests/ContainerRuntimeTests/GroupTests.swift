import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// What becomes of a container's groups, and of those who are in them.
@Suite(.serialized, .enabled(if: Bundle.canRun, "groups need root"))
struct GroupTests {
    private let bundle: Bundle

    init() throws { bundle = try Bundle() }

    /// Where the container's processes are listed.
    private func group() throws -> String {
        let layout = try CgroupLayout.detect()
        let root = layout.hierarchies.first?.mountPoint ?? layout.unified
        return "\(root)/skiff-\(bundle.id)"
    }

    /// Those above a container's own are nobody's to remove but whoever has asked for them.
    private func removeGroups() {
        guard let layout = try? CgroupLayout.detect() else { return }
        for root in layout.hierarchies.map(\.mountPoint) + [layout.unified] where !root.isEmpty {
            try? ContainerRuntime.removeGroup("\(root)/skiff-\(bundle.id)")
        }
    }

    /// A container whose first process has ended and left another one behind.
    private func survivor() throws -> pid_t {
        let first = try bundle.create("sleep 1000 & exit") { $0.linux.namespaces.removeAll { $0.kind == .pid } }
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        #expect(try bundle.waitForEnd(first))
        let left = try readProcesses(group() + "/cgroup.procs")
        return try #require(left.first, "nobody is left")
    }

    /// Deletes the container: neither the process nor a group is left.
    private func expectDeleted(with pid: pid_t) throws {
        let deleted = try bundle.runtime("delete", bundle.id)
        #expect(deleted.code == 0, "\(deleted.errors)")
        #expect(try bundle.waitForEnd(pid))
        #expect(bundle.leftNothing)
    }

    @Test func whoSurvivesTheFirstProcessGoesWithTheContainer() throws {
        defer { bundle.remove() }
        let pid = try survivor()
        try expectDeleted(with: pid)
    }

    @Test func whoSurvivesInAGroupBelowGoesAsWell() throws {
        defer { bundle.remove() }
        let pid = try survivor()
        let below = try group() + "/below"
        try makeDirectory(below)
        try writeControl(below + "/cgroup.procs", "\(pid)")
        #expect(try readProcesses(group() + "/cgroup.procs").isEmpty)
        try expectDeleted(with: pid)
    }

    private static var canFreeze: Bool {
        (try? CgroupLayout.detect()).map { !$0.isV1 || $0.mountPoint(of: "freezer") != nil } ?? false
    }

    @Test(.enabled(if: canFreeze, "there is no freezer"))
    func whoIsFrozenGoesAsWell() throws {
        defer { bundle.remove() }
        let pid = try survivor()
        let layout = try CgroupLayout.detect()
        try Cgroup(path: "/skiff-\(bundle.id)", layout: layout).freeze(true)
        try expectDeleted(with: pid)
    }

    @Test func aGroupWithAnothersBelowItIsRefusedAndUnharmed() throws {
        defer { bundle.remove() }
        let other = try Bundle()
        defer {
            other.remove()
            removeGroups()
        }
        let pid = try other.create("sleep 1000") { $0.linux.cgroupsPath = "/skiff-\(bundle.id)/other" }
        let refused = try bundle.run("true")
        #expect(refused.code != 0 && refused.errors.contains("not empty"), "\(refused.errors)")
        #expect(try other.state() == "created")
        #expect(try readProcesses(group() + "/other/cgroup.procs") == [pid])
        #expect(try other.runtime("delete", "--force", other.id).code == 0)
    }

    @Test func itsOwnGroupCanBeBoundIntoIt() throws {
        defer { bundle.remove() }
        try makeDirectories(bundle.path + "/rootfs/group")
        let own = try group()
        let result = try bundle.run(
            "cat /group/cgroup.procs",
            mounts: [RuntimeSpec.Mount(destination: "/group", type: "bind", source: own, options: ["bind", "ro"])])
        #expect(result.code == 0 && !result.lines.isEmpty, "\(result.errors)")
    }

    private static var devices: String? { (try? CgroupLayout.detect())?.mountPoint(of: "devices") }

    /// What the caller may not do the container's own group allows.
    @Test(.enabled(if: devices != nil, "there is no v1 group of devices"))
    func devicesAreMadeByWhoMayMakeNoneItself() throws {
        defer { bundle.remove() }
        let caller = try #require(Self.devices) + "/skiff-\(bundle.id)-caller"
        try makeDirectory(caller)
        defer { try? ContainerRuntime.removeGroup(caller) }
        for (file, rule) in [("deny", "a"), ("allow", "c *:* rw"), ("allow", "b *:* rw")] {
            try writeControl("\(caller)/devices.\(file)", rule)
        }
        try bundle.write(command: ["sh", "-c", "echo made >/dev/null; stat -c %t:%T /dev/null"])
        let script =
            "echo 0 >'\(caller)/tasks' && exec \"$0\" --root '\(bundle.path)/state' run -b '\(bundle.path)' \(bundle.id)"
        let output = bundle.path + "/result"
        let file = try open(output, O_WRONLY | O_CREAT, mode: 0o600)
        let runtime = try Spawn(
            "/bin/sh", arguments: ["sh", "-c", script, Bundle.program()], descriptors: [(file.raw, 1), (file.raw, 2)]
        ).start()
        let end = try waitForChild(runtime), text = try readText(output)
        #expect(end == .exited(0) && text == "1:3\n", "\(text)")
    }

    @Test func aNetworkOfItsOwnHasLoopbackUp() throws {
        defer { bundle.remove() }
        let result = try bundle.run("readlink /proc/self/ns/net; ip addr show dev lo")
        #expect(result.lines.first != (try readLink("/proc/self/ns/net")), "\(result.errors)")
        #expect(result.output.contains("inet 127.0.0.1/8") && result.output.contains("UP"), "\(result.output)")
    }

    @Test(arguments: ["host", "joined"])
    func aNetworkThatWasBegunForNothingIsNotTaken(kind: String) throws {
        defer { bundle.remove() }
        let hosts = try readLink("/proc/self/ns/net")
        let result = try bundle.run("readlink /proc/self/ns/net") {
            // What a guess by the text takes for a namespace without a path.
            $0.annotations["org.example"] = "network"
            $0.linux.namespaces.removeAll { $0.kind == .network }
            if kind == "joined" { $0.linux.namespaces.append(.init(.network, path: "/proc/self/ns/net")) }
        }
        #expect(result.code == 0 && result.lines == [hosts], "\(result.output) \(result.errors)")
        #expect(bundle.leftNothing)
    }

    @Test func whoHasBegunItForNothingIsReaped() throws {
        defer { bundle.remove() }
        // Else the helper would come to somebody else.
        skiff_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        defer { skiff_prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) }
        let pid = try bundle.create("true") {
            $0.annotations["org.example"] = "network"
            $0.linux.namespaces.removeAll { $0.kind == .network }
        }
        #expect(try reapAnyChild() == nil)
        #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
        _ = try waitForChild(pid)
    }

    @Test(arguments: [true, false])
    func aLimitOfNamespacesIsSaidToBeMet(inUserNamespace: Bool) {
        let refused = ContainerLaunch.explain(
            RuntimeFailure(.namespaces, "unshare: net namespace", errno: ENOSPC), inUserNamespace: inUserNamespace)
        #expect(refused.message.contains("net namespace") && refused.message.contains("user.max_<kind>_namespaces"))
        #expect(refused.errno == ENOSPC)
    }
}
