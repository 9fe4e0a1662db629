import CLinux
import JSON
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// A user's containers in a cgroup that was delegated to the user, which `make vm-test` has a machine for.
@Suite(
    .serialized,
    .enabled(
        if: geteuid() == 0 && exists("/sys/fs/cgroup/cgroup.controllers"),
        "cgroup v2 is not what this host has: make vm-test"))
struct DelegationTests {
    private let bundle: UserBundle
    private let group: String

    init() throws {
        bundle = try UserBundle()
        // As systemd's Delegate= does: the directory and three files are the user's.
        group = "/sys/fs/cgroup/skiff-user-\(bundle.id)"
        try? writeControl("/sys/fs/cgroup/cgroup.subtree_control", "+memory +pids +cpu")
        for directory in [group, group + "/leaf"] {
            try makeDirectory(directory)
            for file in ["", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control"] {
                try bundle.give(directory + file)
            }
        }
    }

    private func remove() {
        bundle.remove()
        try? unlink(group + "/leaf", directory: true)
        try? unlink(group, directory: true)
    }

    /// The runtime run by the user in the delegated group.
    private func delegated(_ arguments: String...) throws -> Bundle.Output {
        try bundle.asUser([bundle.path + "/program"] + arguments, before: "echo $$ > \(group)/leaf/cgroup.procs")
    }

    private var own: String { "\(group)/skiff-runtime-\(bundle.id)" }

    @Test func limitsHoldInADelegatedGroup() throws {
        defer { remove() }
        try bundle.write("sleep 1000") {
            $0.linux.resources.memory.limit = 1 << 26
            $0.linux.resources.pidsLimit = 7
            $0.linux.resources.cpu.shares = 2048
        }
        let made = try delegated("create", "--bundle", bundle.path, bundle.id)
        try #require(made.code == 0, "\(made.errors)")
        #expect(try readText(own + "/memory.max") == "\(1 << 26)\n")
        #expect(try readText(own + "/pids.max") == "7\n")
        #expect(try delegated("start", bundle.id).code == 0)
        let inside = try delegated("exec", bundle.id, "sh", "-c", "grep -c . /proc/self/cgroup")
        #expect(inside.code == 0, "\(inside.errors)")
        #expect(try delegated("pause", bundle.id).code == 0)
        #expect(try bundle.document()["status"]?.stringValue == "paused")
        #expect(try delegated("resume", bundle.id).code == 0)
        #expect(try delegated("update", "--pids-limit", "9", bundle.id).code == 0)
        #expect(try readText(own + "/pids.max") == "9\n")
        let events = try delegated("events", "--stats", bundle.id)
        #expect(events.output.contains("\"limit\":\(1 << 26)"), "\(events.output)\(events.errors)")
        #expect(try delegated("delete", "--force", bundle.id).code == 0)
        #expect(!exists(own) && bundle.leftNothing)
    }

    @Test func aPathThatIsDelegatedIsUsed() throws {
        defer { remove() }
        let path = group.dropFirst("/sys/fs/cgroup".count) + "/named"
        try bundle.write("cat /proc/self/cgroup") {
            $0.linux.cgroupsPath = String(path)
            $0.linux.resources.pidsLimit = 7
            $0.linux.namespaces.removeAll { $0.kind == .cgroup }
        }
        let inside = try delegated("run", "--bundle", bundle.path, bundle.id)
        #expect(inside.lines == ["0::\(path)"], "\(inside.errors)")
        // From the root's group nobody but root moves a process anywhere.
        let outside = try bundle.runtime("run", "--bundle", bundle.path, bundle.id)
        #expect(outside.code != 0 && outside.output.isEmpty)
        #expect(outside.errors.contains("cgroup.procs of the nearest one above both"), "\(outside.errors)")
        #expect(!exists("/sys/fs/cgroup\(path)") && bundle.leftNothing)
    }

    @Test func aProcessFromElsewhereEntersAndStaysOutside() throws {
        defer { remove() }
        try bundle.write("sleep 1000")
        #expect(try delegated("create", "--bundle", bundle.path, bundle.id).code == 0)
        #expect(try delegated("start", bundle.id).code == 0)
        let result = try bundle.runtime("exec", bundle.id, "id", "-u")
        #expect(result.output == "0\n", "\(result.errors)")
        #expect(result.errors.contains("the process stays out of cgroup"), "\(result.errors)")
        #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
        #expect(!exists(own))
    }
}
