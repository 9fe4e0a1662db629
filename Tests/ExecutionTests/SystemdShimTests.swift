import CLinux
import Failures
import Linux
import Testing

@testable import Execution

/// Shims whose groups systemd makes, for which `Tests/vm/run --systemd` has a machine.
@Suite(
    .serialized, .enabled(if: ShimFixture.isPossible, "needs root, busybox-static and the shim beside the tests"),
    .enabled(
        if: CgroupDriver.ofThisHost == .systemd,
        "systemd on cgroup v2 is not what this host has: Tests/vm/run --systemd"))
struct SystemdShimTests {
    private func request(_ fixture: ShimFixture, _ script: String) throws -> (request: LaunchRequest, unit: String) {
        var request = try fixture.request(script)
        // Names of units are the whole machine's, those of the fixture's containers are not.
        let name = fixture.cgroupParent.dropFirst() + request.id
        request.sandbox.cgroup = SandboxCgroup("system.slice:skiff:\(name)", by: .systemd)
        return (request, "skiff-\(name).scope")
    }

    private func property(_ name: String, of unit: String) async throws -> String {
        try await onThread {
            let output = try Pipe().release()
            let read = OwnedDescriptor(owning: output.read), write = OwnedDescriptor(owning: output.write)
            let pid = try Spawn(
                "/bin/systemctl", arguments: ["systemctl", "show", "--value", "-p", name, unit],
                descriptors: [(write.raw, 1)]
            ).start()
            _ = consume write
            let text = String(decoding: try readAll(read.raw, limit: 4096), as: UTF8.self)
            _ = try PidFD(pid).wait()
            return text.split(separator: "\n").first.map(String.init) ?? ""
        }
    }

    private func file(_ name: String, of unit: String) throws -> String {
        try readText("/sys/fs/cgroup/system.slice/\(unit)/\(name)").split(separator: "\n").first.map(String.init) ?? ""
    }

    @Test func anUpdateIsToldToSystemd() async throws {
        try await ShimFixture.with { fixture in
            var (request, unit) = try request(fixture, "sleep 1000")
            (request.sandbox.limits.memory, request.sandbox.limits.pids) = (64 << 20, 20)
            let task = try await fixture.launcher.launch(request)
            #expect(try await property("MemoryMax", of: unit) == "\(64 << 20)")
            var limits = ResourceLimits()
            (limits.memory, limits.memoryAndSwap) = (96 << 20, 96 << 20)
            try await task.update(limits)
            for (name, value) in [("MemoryMax", "\(96 << 20)"), ("TasksMax", "20"), ("MemorySwapMax", "0")] {
                #expect(try await property(name, of: unit) == value, "\(name)")
            }
            #expect(try file("memory.max", of: unit) == "\(96 << 20)")
            #expect(try file("pids.max", of: unit) == "20")
            try await task.signal(9)
            #expect(await task.exit.code == 137)
            await task.collect()
            // systemd forgets a unit when it comes to it.
            let isGone = try await comesTrue { try await property("ActiveState", of: unit) == "inactive" }
            #expect(isGone && !exists("/sys/fs/cgroup/system.slice/\(unit)"))
        }
    }

    /// What stood in the scope until the container's process was there has gone.
    @Test func onlyTheContainersProcessesAreInTheScope() async throws {
        try await ShimFixture.with { fixture in
            let (request, unit) = try request(fixture, "sleep 1000 & sleep 1000")
            let task = try await fixture.launcher.launch(request)
            let processes = try await task.processes()
            #expect(processes.contains(task.pid))
            #expect(processes.allSatisfy { exists("/proc/\($0)/root/bin/busybox") })
            let shim = try #require(
                readText("/proc/\(task.pid)/status").split(separator: "\n").first { $0.hasPrefix("PPid:") }?
                    .split(whereSeparator: \.isWhitespace).last)
            let children = try readText("/proc/\(shim)/task/\(shim)/children").split(separator: " ").map(String.init)
            #expect(children == ["\(task.pid)"])
            #expect(try readText("\(fixture.root)/run/shims/\(task.id)/cgroup") == "/system.slice/\(unit)")
        }
    }

    @Test func whatCannotBeStartedLeavesNoScope() async throws {
        try await ShimFixture.with { fixture in
            for change: @Sendable (inout SandboxSettings) -> Void in [
                { $0.arguments = ["/no-such-program"] }, { $0.limits.cpusetCPUs = "0-999" },
            ] {
                var (request, unit) = try request(fixture, "")
                change(&request.sandbox)
                await #expect(throws: (any Error).self) { try await fixture.launcher.launch(request) }
                let isGone = try await comesTrue { try await property("ActiveState", of: unit) == "inactive" }
                #expect(isGone)
                #expect(await fixture.launcher.known().isEmpty)
            }
        }
    }

    /// Somebody else's scope is not ended because a container could not have its name.
    @Test func aNameInUseIsRefusedAndUnharmed() async throws {
        try await ShimFixture.with { fixture in
            let (first, unit) = try request(fixture, "sleep 1000")
            let task = try await fixture.launcher.launch(first)
            var (second, _) = try request(fixture, "sleep 1000")
            second.sandbox.cgroup = first.sandbox.cgroup
            let failure = await #expect(throws: Failure.self) { try await fixture.launcher.launch(second) }
            #expect(failure?.message.contains(unit) == true, "\(failure?.message ?? "")")
            #expect(task.exitNow == nil)
            #expect(try await property("ActiveState", of: unit) == "active")
        }
    }
}
