import JSON
import Linux
import OCI
import Testing

@testable import ContainerRuntime

struct PlannedMountTests {
    private func plan(_ type: String?, _ options: [String], source: String? = "/src") throws -> PlannedMount {
        try PlannedMount(RuntimeSpec.Mount(destination: "/d", type: type, source: source, options: options))
    }

    @Test func optionsAreToldApart() throws {
        let mount = try plan("tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k", "rslave"])
        #expect(mount.attributes == [.noSUID, .strictAccessTime])
        #expect(mount.data == ["mode=755", "size=65536k"])
        #expect(mount.propagation == .slave && mount.recursivePropagation)
        #expect(mount.kind == .fileSystem(type: "tmpfs", source: "/src"))
    }

    @Test func aLaterOptionTakesAnEarlierOneBack() throws {
        let mount = try plan("bind", ["ro", "rbind", "rw", "nodev"])
        #expect(mount.attributes == [.noDevices])
        #expect(mount.cleared == [.readOnly])
        #expect(mount.kind == .bind(source: "/src", recursive: true))
    }

    @Test func recursiveAttributesHaveAnLeadingR() throws {
        let mount = try plan("none", ["rbind", "rro", "rnosuid"])
        #expect(mount.recursiveAttributes == [.readOnly, .noSUID])
        #expect(mount.attributes.isEmpty)
    }

    @Test(arguments: [["frobnicate"], ["rfrobnicate"], ["ro", "size=1", "rw,"]])
    func aBindWithAnUnknownOptionIsRefused(options: [String]) {
        #expect(throws: RuntimeFailure.self) { try plan("bind", options) }
    }

    @Test func aFileSystemsSettingsOnABindAreLeftOutWithAWarning() throws {
        let mount = try plan("bind", ["ro", "size=1", "mode=755"])
        #expect(mount.attributes == [.readOnly] && mount.data.isEmpty)
        let warnings = RuntimeSpec.Mount(destination: "/d", type: "bind", source: "/s", options: ["ro", "size=1"])
            .warnings
        #expect(warnings == ["mount /d: a bind cannot take these options, which are left out: size=1"])
        #expect(RuntimeSpec.Mount(destination: "/d", type: "tmpfs", options: ["size=1"]).warnings.isEmpty)
    }

    @Test func aRelativeDestinationIsMeantFromTheRoot() throws {
        #expect(try PlannedMount(RuntimeSpec.Mount(destination: "d/e", type: "tmpfs")).destination == "/d/e")
        #expect(throws: RuntimeFailure.self) { try PlannedMount(RuntimeSpec.Mount(destination: "", type: "tmpfs")) }
    }

    /// mount(2), "Remounting an existing mount": flags that are not named are cleared; access times are one choice.
    @Test(
        arguments: [
            (["ro"], [.noSUID, .noDevices, .noExec, .noSymlinkFollow], [.noSymlinkFollow]),
            (["rw", "nodev"], [.readOnly, .noSUID, .noExec, .noSymlinkFollow], [.readOnly, .noSymlinkFollow]),
            (["atime"], [.readOnly, .noSUID, .noDevices, .noExec, .noSymlinkFollow], [.noSymlinkFollow]),
            (
                ["ro", "noatime"],
                [.noSUID, .noDevices, .noExec, .noSymlinkFollow, .accessTimeMask, .noDirectoryAccessTime],
                [.noSymlinkFollow, .accessTimeMask, .noDirectoryAccessTime]
            ),
        ] as [([String], MountAttributes, MountAttributes)])
    func aBindHasTheAttributesItNames(options: [String], all: MountAttributes, locked: MountAttributes) throws {
        let mount = try plan("bind", options)
        #expect(mount.namesAttributes && mount.clearedOfCopy == [all, locked])
    }

    @Test func aBindThatNamesNoneKeepsItsSources() throws {
        #expect(try plan("bind", ["rbind", "rprivate", "rro"]).namesAttributes == false)
        #expect(try plan("bind", ["norelatime"]).namesAttributes)
    }

    @Test func theLastChoiceOfAccessTimesHolds() throws {
        #expect(try plan("tmpfs", ["noatime", "strictatime"]).attributes == .strictAccessTime)
        #expect(try plan("tmpfs", ["strictatime", "relatime"]).attributes == [])
        #expect(try plan("none", ["rbind", "ratime"]).recursiveCleared == .accessTimeMask)
    }
}

struct LaunchPlanTests {
    private func plan(_ change: (inout RuntimeSpec) -> Void) throws -> LaunchPlan {
        var spec = RuntimeSpec(process: RuntimeSpec.Process(arguments: ["sh"]))
        spec.linux.namespaces = [.init(.mount), .init(.pid), .init(.ipc), .init(.network), .init(.uts), .init(.cgroup)]
        change(&spec)
        return try LaunchPlan(
            ContainerLaunch(
                id: "x", spec: spec, rootfs: .directory("/r"), stdio: .descriptors(input: 0, output: 1, error: 2)))
    }

    /// A shim starts at once and has no `delete` of a caller's: a hook that it would drop is not taken.
    @Test(arguments: ["poststart", "poststop"]) func whoStartsAtOnceTakesNoHooksOfStartAndDelete(point: String) {
        let failure = #expect(throws: RuntimeFailure.self) {
            try plan { spec in
                let hook = RuntimeSpec.Hook(path: "/bin/true")
                if point == "poststart" { spec.hooks.poststart = [hook] } else { spec.hooks.poststop = [hook] }
            }
        }
        #expect(failure?.message.hasPrefix("hooks.\(point): ") == true)
    }

    @Test func theCgroupNamespaceComesAfterTheCgroup() throws {
        let plan = try plan { _ in }
        #expect(plan.created == [.mount, .pid, .ipc, .network, .uts])
        #expect(plan.createsCgroupNamespace)
    }

    @Test func theMountNamespaceIsJoinedLast() throws {
        let plan = try plan {
            $0.linux.namespaces = [.init(.mount, path: "/m"), .init(.user, path: "/u"), .init(.pid, path: "/p")]
        }
        #expect(plan.joined.map(\.kind) == [.user, .pid, .mount])
    }

    /// CVE-2022-0811: a parameter is set only where it belongs to a namespace of the container's own.
    @Test(arguments: [
        ("net.ipv4.ip_forward", true), ("kernel.shmmax", true), ("fs.mqueue.msg_max", true),
        ("net/ipv4/ip_forward", true),
        ("kernel.core_pattern", false), ("vm.swappiness", false), ("net.ipv4.x+kernel.core_pattern", false),
        ("net.../kernel/core_pattern", false), ("fs.file-max", false),
    ])
    func kernelParametersAreAllowedByNamespace(name: String, allowed: Bool) {
        let result = Result { try plan { $0.linux.sysctl = [name: "1"] } }
        #expect(((try? result.get()) != nil) == allowed)
        let onHost = Result {
            try plan { spec in
                spec.linux.sysctl = [name: "1"]
                spec.linux.namespaces = [.init(.mount), .init(.pid)]
            }
        }
        #expect((try? onHost.get()) == nil)
    }

    @Test func aContainerWithoutAMountNamespaceIsRefused() {
        #expect(throws: RuntimeFailure.self) { try plan { $0.linux.namespaces = [.init(.pid)] } }
    }

    @Test func aRelativeSourceIsTheBundles() throws {
        let plan = try plan {
            $0.mounts = [RuntimeSpec.Mount(destination: "/d", type: "bind", source: "below/s", options: ["bind"])]
        }
        #expect(plan.mounts[0].kind == .bind(source: "//below/s", recursive: false))
    }

    @Test func aDeadlineOnSomeProcessorsIsRefused() {
        #expect(throws: RuntimeFailure.self) {
            try plan {
                $0.process?.scheduler = RuntimeSpec.Scheduler(policy: "SCHED_DEADLINE")
                $0.linux.resources.cpu.cpus = "0"
            }
        }
    }

    @Test func anEmptyCommandIsRefused() {
        #expect(throws: RuntimeFailure.self) { try plan { $0.process?.arguments = [] } }
    }
}

struct DeviceAccessTests {
    @Test func noRulesMeanNothingButTheStandardDevices() {
        let list = DeviceAccess.list(for: [])
        #expect(list.first?.text == "a" && list.first?.allow == false)
        #expect(list.contains { $0.text == "c 1:3 rwm" && $0.allow })
        #expect(!list.contains { $0.allow && $0.type == "a" })
    }

    @Test func everythingIsAllowedOnlyWhenSaidInFull() {
        #expect(DeviceAccess.list(for: [.init(allow: true)]).map(\.text) == ["a"])
        let partial = DeviceAccess.list(for: [.init(allow: true, access: "r")])
        #expect(partial.contains { $0.text == "b *:* r" } && partial.contains { $0.text == "c *:* r" })
    }

    @Test func aLaterDenyAllForgetsWhatCameBefore() {
        let list = DeviceAccess.list(for: [.init(allow: true, type: "c", major: 10, minor: 200), .init(allow: false)])
        #expect(!list.contains { $0.text == "c 10:200 rwm" })
    }

    @Test func theProgramEndsInAnAnswerWhateverTheRules() {
        let program = DeviceProgram(DeviceAccess.list(for: [.init(allow: true, type: "b", major: 8, access: "r")]))
        // r0 = …; exit
        #expect(program.instructions.suffix(2).map { $0 & 0xff } == [0xb4, 0x95])
        #expect(program.instructions.count < 4096)
    }
}

struct CgroupLayoutTests {
    @Test func aHybridHostIsV1() {
        let layout = CgroupLayout(
            mountTable: """
                32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
                36 31 0:33 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
                40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
                42 31 0:39 / /sys/fs/cgroup/other rw,relatime - cgroup cgroup rw,name=an:other
                41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
                """)
        #expect(layout.isV1)
        #expect(layout.mountPoint(of: "cpuacct") == "/sys/fs/cgroup/cpu,cpuacct")
        #expect(layout.hierarchies[0].aliases == ["cpu", "cpuacct"])
        #expect(layout.hierarchies[2].options == ["name=systemd"])
        #expect(layout.unified == "/sys/fs/cgroup/unified")
        #expect(CgroupLayout(record: layout.record) == layout)
    }

    /// A container's state keeps what was found, and what is not there any more is looked for again.
    @Test func aKeptLayoutIsTakenWhereItStands() throws {
        let here = try CgroupLayout.detect()
        #expect(try CgroupLayout.find(here.record) == here)
        let gone = CgroupLayout(
            mountTable: "32 31 0:29 / /sys/fs/cgroup/skiff-gone rw,relatime - cgroup cgroup rw,memory\n")
        for record in [gone.record, "", "no hierarchy", "memory:", ":/sys/fs/cgroup"] {
            #expect(try CgroupLayout.find(record) == here)
        }
    }

    @Test func theUnifiedHierarchyAloneIsV2() {
        let layout = CgroupLayout(
            mountTable: "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n")
        #expect(!layout.isV1)
        #expect(layout.unified == "/sys/fs/cgroup")
    }

    /// Without its table of mounts a host is taken for what the table says.
    @Test func thisHostIsWhatItsTableSays() throws {
        #expect(try CgroupLayout.detect() == CgroupLayout(mountTable: readText("/proc/self/mountinfo")))
    }

    @Test(arguments: [(2, 1), (1024, 100), (262144, 10000), (0, 1), (999_999_999, 10000)])
    func sharesBecomeWeights(shares: UInt64, weight: UInt64) { #expect(CgroupV2.weight(shares: shares) == weight) }

    @Test(arguments: ["relative", "/", "/a/../b", "/a/./b", ""])
    func aPathThatStepsAsideIsRefused(path: String) {
        let layout = CgroupLayout(mountTable: "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
        #expect(throws: RuntimeFailure.self) { try Cgroup(path: path, layout: layout) }
    }
}

struct RuntimeFailureTests {
    @Test func aFailureCrossesTheChannelWhole() {
        let failure = RuntimeFailure(.exec, "exec: \"x\": executable file not found in $PATH", errno: 2)
        #expect(RuntimeFailure(record: failure.record) == failure)
    }

    @Test(arguments: [[], [0xf1], [99, 0, 0, 0, 0], [1, 2, 3]] as [[UInt8]])
    func whatIsNoRecordIsNoFailure(bytes: [UInt8]) { #expect(RuntimeFailure(record: bytes) == nil) }
}

struct StateNameTests {
    @Test(arguments: [
        ("a", true), ("a-b_c.d+1", true), ("", false), (".a", false), ("a/b", false), ("..", false), ("a b", false),
    ])
    func namesAreFileNames(id: String, fine: Bool) {
        #expect(((try? StateDirectory.validate(id)) != nil) == fine)
    }
}

struct EnvironmentTests {
    /// A few variables and many are told apart in two ways.
    @Test(arguments: [3, 200])
    func eachVariableIsThereOnceWithItsLastValue(count: Int) throws {
        var process = RuntimeSpec.Process(arguments: ["a"])
        let names = (0..<count).map { "A\($0)" }
        process.environment = names.map { "\($0)=old" } + names.map { "\($0)=new=\($0)" } + ["bare", "bare"]
        let planned = try PlannedProcess(process, RuntimeSpec.LinuxSettings(), filter: nil)
        #expect(planned.environment == names.map { "\($0)=new=\($0)" } + ["bare"])
    }
}
