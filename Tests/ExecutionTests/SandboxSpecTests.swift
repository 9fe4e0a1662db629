import Failures
import OCI
import Testing

@testable import Execution

@Suite struct SandboxSpecTests {
    static func document(
        devices: [HostDevice] = [], available: Set<String> = Set(CapabilityNames.all),
        _ change: (inout SandboxSettings) -> Void = { _ in }
    ) throws -> RuntimeSpec {
        var settings = SandboxSettings(arguments: ["sh"], cgroup: SandboxCgroup("/skiff/a"))
        change(&settings)
        return try SandboxSpec(settings: settings, devices: devices, availableCapabilities: available).document()
    }

    @Test func whatNobodyAskedForIsDockersDefault() throws {
        let spec = try Self.document()
        #expect(
            spec.mounts.map(\.destination) == [
                "/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/dev/mqueue", "/dev/shm",
            ])
        #expect(Set(spec.linux.namespaces.map(\.kind)) == [.mount, .pid, .ipc, .uts, .network, .cgroup])
        let process = try #require(spec.process)
        let capabilities = try #require(process.capabilities)
        #expect(capabilities.bounding.count == 14)
        #expect(capabilities.inheritable.isEmpty && capabilities.ambient.isEmpty)
        #expect(!capabilities.bounding.contains("CAP_SYS_ADMIN"))
        #expect(process.oomScoreAdjustment == 0 && process.apparmorProfile == nil)
        #expect(try Self.document { $0.apparmorProfile = "mine" }.process?.apparmorProfile == "mine")
        #expect(spec.linux.maskedPaths.contains("/proc/kcore") && spec.linux.readonlyPaths.contains("/proc/sys"))
        #expect(spec.linux.resources.devices.first?.allow == false)
        #expect(spec.mounts[3].options.contains("ro"))
    }

    @Test(
        arguments: [
            ([], [], 14, nil), (["sys_admin"], [], 15, "CAP_SYS_ADMIN"),
            (["CAP_SYS_PTRACE"], ["ALL"], 1, "CAP_SYS_PTRACE"),
            (["ALL"], ["net_raw"], 40, "CAP_SYS_ADMIN"), ([], ["all"], 0, nil), ([], ["CAP_CHOWN", "kill"], 12, nil),
            (["chown"], ["chown"], 14, "CAP_CHOWN"), (["CAP_ALL"], [], 41, "CAP_BPF"),
        ] as [([String], [String], Int, String?)])
    func capabilitiesAreAddedAndDroppedAsDockerDoes(
        _ add: [String], _ drop: [String], _ count: Int, _ contained: String?
    ) throws {
        let spec = try Self.document {
            $0.capabilitiesToAdd = add
            $0.capabilitiesToDrop = drop
        }
        let names = try #require(spec.process?.capabilities).bounding
        #expect(names.count == count)
        if let contained { #expect(names.contains(contained)) }
    }

    @Test func anUnknownCapabilityIsNamed() {
        #expect(throws: Failure(.invalid, "")) { try Self.document { $0.capabilitiesToAdd = ["SYS_MAGIC"] } }
    }

    @Test func aPrivilegedContainerGetsWhatTheHostCanGive() throws {
        let device = HostDevice(
            path: "/dev/kvm", type: "c", major: 10, minor: 232, mode: 0o660, uid: 0, gid: 104, permissions: "rwm")
        let available = Set(CapabilityNames.all).subtracting(["CAP_SYS_RESOURCE"])
        let spec = try Self.document(devices: [device], available: available) { $0.privileged = true }
        #expect(spec.process?.capabilities?.bounding.count == 40)
        #expect(spec.linux.maskedPaths.isEmpty && spec.linux.readonlyPaths.isEmpty)
        #expect(spec.linux.resources.devices.map(\.allow) == [true])
        #expect(spec.linux.devices.map(\.path) == ["/dev/kvm"])
        #expect(!spec.mounts.filter { $0.destination.hasPrefix("/sys") }.contains { $0.options.contains("ro") })
    }

    @Test func mountsReplaceDefaultsAndGoParentsFirst() throws {
        let spec = try Self.document {
            $0.mounts = [
                SandboxMount(.bind(source: "/b"), target: "/data/deep/", readOnly: true),
                SandboxMount(.bind(source: "/a"), target: "/data"),
                SandboxMount(.tmpfs, target: "/dev/shm", options: ["size=1m", "exec"]),
            ]
        }
        let own = spec.mounts.suffix(3)
        #expect(own.map(\.destination) == ["/data", "/data/deep", "/dev/shm"])
        #expect(spec.mounts.filter { $0.destination == "/dev/shm" }.count == 1)
        #expect(spec.mounts.last?.options == ["nosuid", "nodev", "size=1m", "exec"])
        #expect(own.dropFirst().first?.options == ["rbind", "ro", "rprivate"])
    }

    @Test func aDevOfOnesOwnHidesTheDefaultsBelowIt() throws {
        let spec = try Self.document { $0.mounts = [SandboxMount(.bind(source: "/dev"), target: "/dev")] }
        #expect(spec.mounts.filter { $0.destination.hasPrefix("/dev") }.map(\.destination) == ["/dev"])
    }

    @Test(arguments: ["relative", "/", "/.", "//", "/a/.."]) func aMountOverTheRootIsRefused(_ target: String) {
        #expect(throws: Failure(.invalid, "")) {
            try Self.document { $0.mounts = [SandboxMount(.tmpfs, target: target)] }
        }
    }

    @Test func hostNamespacesAreNotMadeAndNamedOnesAreJoined() throws {
        let spec = try Self.document {
            $0.namespaces.pid = .host
            $0.namespaces.ipc = .path("/proc/7/ns/ipc")
            $0.namespaces.network = .host
            $0.namespaces.uts = .host
            $0.hostname = "ignored"
        }
        #expect(spec.linux.namespace(.pid) == nil && spec.linux.namespace(.network) == nil)
        #expect(spec.linux.namespace(.ipc)?.path == "/proc/7/ns/ipc")
        #expect(spec.hostname == nil && spec.linux.sysctl.isEmpty)
    }

    @Test(arguments: [
        "kernel.core_pattern", "vm.swappiness", "net.ipv4.ip_forward=1+kernel.core_pattern", "kernel..shmmax", "net.\n",
        "fs.file-max", "kernel.hostname",
    ]) func aSysctlOfTheHostIsRefused(_ name: String) {
        #expect(throws: Failure(.invalid, "")) { try Self.document { $0.sysctls = [name: "|/evil"] } }
    }

    @Test func aSysctlNeedsANamespaceOfItsOwn() throws {
        #expect(try Self.document { $0.sysctls = ["net.core.somaxconn": "1024"] }.linux.sysctl.count == 3)
        #expect(throws: Failure(.invalid, "")) {
            try Self.document {
                $0.sysctls = ["net.core.somaxconn": "1024"]
                $0.namespaces.network = .host
            }
        }
    }

    @Test func limitsAndDevicesReachTheCgroup() throws {
        let device = HostDevice(
            path: "/dev/fuse", type: "c", major: 10, minor: 229, mode: 0o666, uid: 0, gid: 0, permissions: "rw")
        let spec = try Self.document(devices: [device]) {
            $0.limits.memory = 1 << 28
            $0.limits.cpuQuota = 50000
            $0.limits.pids = 100
            $0.rlimits = [ResourceLimit("nofile", soft: 1, hard: 2)]
            $0.deviceRules = [DeviceRule(type: "c", major: 42, minor: nil, access: "r")]
        }
        #expect(spec.linux.resources.memory.limit == 1 << 28)
        #expect(spec.linux.resources.cpu.quota == 50000)
        #expect(spec.linux.resources.pidsLimit == 100)
        #expect(spec.process?.rlimits.first?.type == "RLIMIT_NOFILE")
        #expect(
            spec.linux.resources.devices.suffix(2) == [
                RuntimeSpec.Resources.DeviceRule(allow: true, type: "c", major: 10, minor: 229, access: "rw"),
                RuntimeSpec.Resources.DeviceRule(allow: true, type: "c", major: 42, minor: nil, access: "r"),
            ])
    }

    @Test func theDocumentSurvivesTheWireToTheShim() throws {
        let spec = try Self.document {
            $0.user = "app:1000"
            $0.terminal = true
            $0.additionalGroups = ["audio", "7"]
        }
        #expect(try RuntimeSpec(json: spec.json) == spec)
    }
}
