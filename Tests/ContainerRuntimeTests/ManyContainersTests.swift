import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Containers that come and go leave the machine as it was: mounts, groups, processes, states and descriptors are counted
/// before and after, and so are the kernel's objects.
///
/// A hundred of them, or as many as `SKIFF_CONTAINERS` says.
@Suite(.serialized, .enabled(if: Bundle.canRun, "containers need root"))
struct ManyContainersTests {
    /// What there is that a container could leave behind.
    struct Census: Equatable {
        /// Lines of this namespace's mount table: what is mounted in a container must not reach it.
        var mounts: Set<String>
        /// Groups below the test's own, by hierarchy, and the processes in them.
        var groups: [String]
        var processes: [pid_t]
        var states: [String]
        var descriptors: Int

        init(_ bundle: Bundle, _ layout: CgroupLayout) throws {
            mounts = Set(
                try readText("/proc/self/mountinfo").split(separator: "\n").map(String.init)
                    .filter { $0.contains(bundle.id) })
            groups = []
            processes = []
            for root in Self.roots(bundle, layout) where exists(root) {
                processes += try readProcessTree(root)
                let directory = try open(root, O_RDONLY | O_DIRECTORY)
                groups += try readDirectory(directory.raw).filter { $0.type == UInt8(DT_DIR) }
                    .map { root + "/" + $0.name.text }
            }
            states = try StateDirectory(root: bundle.path + "/state").ids()
            let own = try open("/proc/self/fd", O_RDONLY | O_DIRECTORY)
            descriptors = try readDirectory(own.raw).count
        }

        static func roots(_ bundle: Bundle, _ layout: CgroupLayout) -> [String] {
            (layout.hierarchies.map(\.mountPoint) + [layout.unified]).filter { !$0.isEmpty }
                .map { "\($0)/skiff-\(bundle.id)" }
        }
    }

    @Test(arguments: [false, true])
    func manyContainersLeaveNothingBehind(inUserNamespace: Bool) throws {
        let bundle = try Bundle(), layout = try CgroupLayout.detect()
        defer {
            bundle.remove()
            for root in Census.roots(bundle, layout) { try? unlink(root, directory: true) }
        }
        // Where nobody else reaps them, their processes would stay and hold their namespaces.
        skiff_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        defer { skiff_prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) }
        let count = getenv("SKIFF_CONTAINERS").flatMap { Int(String(cString: $0)) } ?? 100
        try bundle.write(command: ["/bin/true"]) {
            // Below a group of the test's, whose other groups would be seen.
            $0.linux.cgroupsPath = "/skiff-\(bundle.id)/container"
            guard inUserNamespace else { return }
            $0.linux.namespaces.append(.init(.user))
            $0.linux.uidMappings = [.init(container: 0, host: 100_000, size: 65_536)]
            $0.linux.gidMappings = [.init(container: 0, host: 100_000, size: 65_536)]
        }
        // The first makes what all have in common.
        try live(bundle, "\(bundle.id)-first", layout)
        let before = try Census(bundle, layout)
        #expect(before.groups.isEmpty && before.processes.isEmpty && before.states.isEmpty, "\(before)")
        // Others on the machine have processes and mounts too: what they make in one round they do not make in each.
        var grown: [String: Int]?
        for round in 1...3 {
            let memory = KernelMemory.isCounted ? try KernelMemory(unified: layout.unified) : nil
            for number in 0..<count { try live(bundle, "\(bundle.id)-\(round)-\(number)", layout) }
            var after = try Census(bundle, layout)
            // The test's own process has other threads, which may close theirs meanwhile.
            #expect(after.descriptors <= before.descriptors, "\(before), then \(after)")
            after.descriptors = before.descriptors
            #expect(before == after)
            guard let memory else { return }
            let growth = try growth(since: memory, layout, count)
            grown = grown?.filter { growth[$0.key] != nil } ?? growth
            if grown?.isEmpty == true { return }
        }
        Issue.record("\(grown ?? [:]) after \(count) containers, and after as many again")
    }

    /// What there is more of by one object or more for every two containers: one that is kept of each is twice that.
    ///
    /// The kernel frees in its own time: it is looked at until there is no such kind.
    private func growth(since before: KernelMemory, _ layout: CgroupLayout, _ count: Int) throws -> [String: Int] {
        var now = try KernelMemory(unified: layout.unified)
        for _ in 0..<120 where now.growth(since: before).contains(where: { $0.value >= count / 2 }) {
            _ = try poll([], timeout: 500)
            now = try KernelMemory(unified: layout.unified)
        }
        let growth = now.growth(since: before)
        let kept = growth.filter { $0.value >= count / 2 }
        guard count >= 1000 else { return kept }
        let grown = now.unreclaimable - before.unreclaimable
        print("\(count) containers: \(grown) KiB that cannot be reclaimed, objects \(growth)")
        // A network namespace alone is several times as much.
        #expect(grown < 8 * count, "\(grown) KiB that cannot be reclaimed after \(count) containers")
        return kept
    }

    /// Create, start, end and delete; in between there is something to see.
    private func live(_ bundle: Bundle, _ id: String, _ layout: CgroupLayout) throws {
        let pidFile = bundle.path + "/pid"
        let made = try bundle.runtime("create", "--bundle", bundle.path, "--pid-file", pidFile, id)
        try #require(made.code == 0, "\(id): \(made.errors)")
        let pid = try #require(pid_t(readText(pidFile)))
        let process = try PidFD(pid)
        if id.hasSuffix("first") {
            let during = try Census(bundle, layout)
            #expect(!during.groups.isEmpty && during.processes.contains(pid) && during.states == [id], "\(during)")
        }
        let started = try bundle.runtime("start", id)
        try #require(started.code == 0, "\(id): \(started.errors)")
        _ = try process.wait()
        let deleted = try bundle.runtime("delete", id)
        try #require(deleted.code == 0, "\(id): \(deleted.errors)")
    }
}
