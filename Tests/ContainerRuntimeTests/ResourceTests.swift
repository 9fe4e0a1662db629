import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Limits as the kernel has them, on this host's version of cgroups.
@Suite(.serialized, .enabled(if: Bundle.canRun, "cgroups need root"))
struct ResourceTests {
    private let bundle: Bundle
    private let layout: CgroupLayout

    init() throws {
        bundle = try Bundle()
        layout = try CgroupLayout.detect()
    }

    /// What a control file of the created container says.
    private func value(_ controller: String, _ file: String) throws -> String {
        let root = try layout.isV1 ? #require(layout.mountPoint(of: controller)) : layout.unified
        return try readText("\(root)/skiff-\(bundle.id)/\(file)").trimmedLine
    }

    @Test func processorLimitsAreSet() throws {
        defer { bundle.remove() }
        _ = try bundle.create("true") {
            $0.linux.resources.cpu.shares = 512
            $0.linux.resources.cpu.period = 50_000
            $0.linux.resources.cpu.quota = 20_000
            $0.linux.resources.cpu.burst = 10_000
            $0.linux.resources.cpu.cpus = "0"
            $0.linux.resources.cpu.mems = "0"
            $0.linux.resources.pidsLimit = 77
        }
        if layout.isV1 {
            #expect(try value("cpu", "cpu.shares") == "512")
            #expect(try value("cpu", "cpu.cfs_period_us") == "50000")
            #expect(try value("cpu", "cpu.cfs_quota_us") == "20000")
            #expect(try value("cpu", "cpu.cfs_burst_us") == "10000")
            #expect(try value("cpuset", "cpuset.cpus") == "0")
        } else {
            #expect(try value("cpu", "cpu.max") == "20000 50000")
            #expect(try value("cpu", "cpu.max.burst") == "10000")
            #expect(try value("cpuset", "cpuset.cpus") == "0")
        }
        #expect(try value("pids", "pids.max") == "77")
        // A quota below the burst is taken in the order that works.
        try writeFile(
            bundle.path + "/update.json", Array(#"{"cpu":{"quota":5000,"period":50000,"burst":1000}}"#.utf8))
        let updated = try bundle.runtime("update", "--resources", bundle.path + "/update.json", bundle.id)
        #expect(updated.code == 0, "\(updated.errors)")
        #expect(try value("cpu", layout.isV1 ? "cpu.cfs_quota_us" : "cpu.max").hasPrefix("5000"))
    }

    @Test func anIdleContainerHasTheLowestPriority() throws {
        defer { bundle.remove() }
        _ = try bundle.create("true") { $0.linux.resources.cpu.idle = 1 }
        #expect(try value("cpu", "cpu.idle") == "1")
    }

    @Test func memoryLimitsAreSetAndCheckedAgainstWhatIsUsed() throws {
        defer { bundle.remove() }
        _ = try bundle.create("dd if=/dev/zero of=/dev/shm/x bs=1M count=8 2>/dev/null; sleep 1000") {
            $0.mounts.append(RuntimeSpec.Mount(destination: "/dev/shm", type: "tmpfs", source: "shm"))
            $0.linux.resources.memory.limit = 64 << 20
            $0.linux.resources.memory.reservation = 32 << 20
            $0.linux.resources.memory.swap = 96 << 20
        }
        if layout.isV1 {
            #expect(try value("memory", "memory.limit_in_bytes") == "\(64 << 20)")
            #expect(try value("memory", "memory.soft_limit_in_bytes") == "\(32 << 20)")
            #expect(try value("memory", "memory.memsw.limit_in_bytes") == "\(96 << 20)")
        } else {
            #expect(try value("memory", "memory.max") == "\(64 << 20)")
            #expect(try value("memory", "memory.low") == "\(32 << 20)")
        }
        try writeFile(
            bundle.path + "/update.json", Array(#"{"memory":{"limit":4096,"checkBeforeUpdate":true}}"#.utf8))
        let refused = try bundle.runtime("update", "--resources", bundle.path + "/update.json", bundle.id)
        #expect(refused.code != 0 && refused.errors.contains("are in use"), "\(refused.errors)")
    }

    @Test func theOutOfMemoryKillerIsTurnedOffWhereItCanBe() throws {
        defer { bundle.remove() }
        try bundle.write(command: ["true"]) { $0.linux.resources.memory.disableOOMKiller = true }
        let made = try bundle.runtime("create", "--bundle", bundle.path, bundle.id)
        if layout.isV1 {
            #expect(try value("memory", "memory.oom_control") == "oom_kill_disable 1")
        } else {
            #expect(made.errors.contains("memory.disableOOMKiller on a cgroup v2 host"))
        }
    }

    @Test func aLimitTheHostHasNoControllerForIsAnErrorThatNamesIt() throws {
        defer { bundle.remove() }
        let changes: [(String, (inout RuntimeSpec.Resources) -> Void)] = [
            ("rdma", { $0.rdma = ["mlx5_0": .init(handles: 3)] }),
            ("net_cls", { $0.networkClass = 7 }),
            ("net_prio", { $0.networkPriorities = [.init(name: "eth0", priority: 1)] }),
            ("hugetlb", { $0.hugePageLimits = [.init(pageSize: "2MB", limit: 0)] }),
            ("leaf_weight", { $0.blockIO.leafWeight = 500 }),
            ("leaf", { $0.blockIO.weightDevices = [.init(major: 1, minor: 0, leafWeight: 20)] }),
        ]
        for (name, change) in changes where layout.isV1 && layout.mountPoint(of: name) == nil {
            let result = try bundle.run("true") { change(&$0.linux.resources) }
            #expect(result.code != 0 && result.errors.contains(name), "\(name): \(result.errors)")
            #expect(bundle.leftNothing)
        }
        let unified = try bundle.run("true") { $0.linux.resources.unified = ["memory.high": "100000000"] }
        #expect(layout.isV1 == unified.errors.contains("unified resource memory.high on a cgroup v1 host"))
    }

    @Test func aRelativePathBeginsAtTheRoot() throws {
        defer { bundle.remove() }
        _ = try bundle.create("true") { spec in spec.linux.cgroupsPath = "skiff-\(bundle.id)" }
        #expect(try !value("pids", "pids.max").isEmpty)
    }
}
