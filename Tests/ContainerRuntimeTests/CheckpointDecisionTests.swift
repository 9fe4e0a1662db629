import JSON
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// What a checkpoint and a restore ask of CRIU, before there is any.
struct CheckpointDecisionTests {
    private func spec(_ change: (inout RuntimeSpec) -> Void = { _ in }) -> RuntimeSpec {
        var spec = RuntimeSpec(process: RuntimeSpec.Process(arguments: ["sh"]))
        spec.linux.namespaces = [.init(.mount), .init(.pid), .init(.cgroup)]
        change(&spec)
        return spec
    }

    private func dump(
        _ spec: RuntimeSpec, _ facts: ContainerCheckpoint.Facts = .init(),
        _ change: (inout CheckpointOptions) -> Void = { _ in }
    ) throws -> CRIURequest {
        var options = CheckpointOptions(CRIUSettings(imagePath: "/images"))
        change(&options)
        var state = ContainerState(id: "c", bundle: "/b", cgroup: "/c", rootfs: "/b/rootfs", spec: spec)
        state.pid = 42
        return try ContainerCheckpoint(state, spec: spec, options: options).request(
            facts, imagesDirectory: 9, workDirectory: nil)
    }

    private func restore(
        _ spec: RuntimeSpec, _ facts: ContainerRestore.Facts = .init(),
        _ change: (inout RestoreOptions) -> Void = { _ in }
    ) throws -> CRIUOptions {
        var options = RestoreOptions(CRIUSettings(imagePath: "/images"))
        change(&options)
        let restore = ContainerRestore(
            id: "c", spec: spec, rootfs: "/b/rootfs", bundle: "/b", place: "/run/x/c", options: options)
        guard case .restore(let asked) = try restore.request(facts) else {
            throw RuntimeFailure(.checkpoint, "another request")
        }
        return asked
    }

    @Test func aDumpTellsWhatIsOutside() throws {
        var facts = ContainerCheckpoint.Facts()
        facts.joined = [(.network, 4_026_531_840), (.pid, 4_026_532_100), (.uts, 1)]
        facts.externalMounts = [.init("/data", "/data")]
        facts.streams = StreamNames(["file[1b:4]", "pipe:[5]", "file[1b:4]"])
        facts.freezer = "/sys/fs/cgroup/c"
        guard case .dump(let asked) = try dump(spec(), facts, { $0.leavesRunning = true }) else {
            throw RuntimeFailure(.checkpoint, "another request")
        }
        #expect(asked.externals == ["net[4026531840]:extRootNetNS", "pid[4026532100]:extRootPidNS", "file[1b:4]"])
        #expect(asked.externalMounts == facts.externalMounts)
        #expect(asked.pid == 42 && asked.root == "/b/rootfs" && asked.imagesDirectory == 9)
        #expect(asked.freezer == "/sys/fs/cgroup/c" && asked.leavesRunning && asked.cgroupMode == .soft)
        #expect(!asked.restoresSibling && !asked.tracksMemory)
    }

    @Test func aPreDumpIsOfMemoryOnly() throws {
        var facts = ContainerCheckpoint.Facts()
        facts.externalMounts = [.init("/data", "/data")]
        facts.streams = StreamNames(["file[1b:4]"])
        let request = try dump(spec(), facts) {
            $0.isPreDump = true
            $0.parentPath = "../before"
        }
        guard case .preDump(let asked) = request else { throw RuntimeFailure(.checkpoint, "another request") }
        #expect(asked.tracksMemory && asked.parentImages == "../before")
        #expect(asked.externalMounts.isEmpty && asked.externals.isEmpty)
    }

    @Test(
        arguments: [
            ("127.0.0.1:27", "127.0.0.1", 27), ("[::1]:65535", "::1", 65535), ("::1:9", "::1", 9), ("host:0", nil, 0),
            ("host", nil, 0), (":9", nil, 0), ("host:65536", nil, 0), ("host:-1", nil, 0),
        ] as [(String, String?, UInt16)])
    func pageServersHaveAnAddressAndAPort(text: String, address: String?, port: UInt16) throws {
        let request = Result { try dump(spec(), .init()) { $0.pageServer = text } }
        guard let address else {
            #expect(throws: RuntimeFailure.self) { try request.get() }
            return
        }
        guard case .dump(let asked) = try request.get() else { throw RuntimeFailure(.checkpoint, "another request") }
        #expect(asked.pageServer == CRIUOptions.PageServer(address: address, port: port))
    }

    @Test func whatIsMisspeltIsRefused() {
        #expect(throws: RuntimeFailure.self) { try dump(spec(), .init()) { $0.parentPath = "/absolute" } }
        #expect(throws: RuntimeFailure.self) { try dump(spec(), .init()) { $0.settings.cgroupMode = "hard" } }
        #expect(throws: RuntimeFailure.self) { try dump(spec(), .init()) { $0.settings.emptyNamespaces = ["pid"] } }
        #expect(throws: RuntimeFailure.self) { try restore(spec(), .init()) { $0.settings.cgroupMode = "hard" } }
    }

    @Test(arguments: [("soft", 3), ("full", 4), ("strict", 5), ("ignore", 0), ("", 3)] as [(String, Int32)])
    func cgroupModesAreCRIUsNumbers(name: String, number: Int32) throws {
        #expect(try restore(spec(), .init()) { $0.settings.cgroupMode = name }.cgroupMode.rawValue == number)
    }

    @Test func aContainersOwnConfigurationComesFirst() throws {
        #expect(try restore(spec()).configFile == "/etc/criu/runc.conf")
        #expect(try restore(spec { $0.annotations["org.criu.config"] = "/mine" }).configFile == "/mine")
        #expect(try restore(spec { $0.annotations["org.criu.config"] = "" }).configFile == nil)
    }

    @Test func namespacesByPathAreInheritedOrJoined() throws {
        var facts = ContainerRestore.Facts()
        facts.streams = StreamNames(["/dev/pts/0", "pipe:[5]", "pipe:[5]"])
        let asked = try restore(
            spec {
                $0.linux.namespaces = [
                    .init(.mount), .init(.pid, path: "/p"), .init(.network, path: "/n"), .init(.uts, path: "/u"),
                    .init(.ipc),
                ]
            }, facts)
        #expect(
            asked.inherited == [
                .init(key: "pipe:[5]", number: 1), .init(key: "extRootPidNS", number: 6),
                .init(key: "extRootNetNS", number: 7),
            ])
        #expect(asked.joined == [.init("uts", "/u")])
        #expect(asked.restoresSibling && asked.evadesDevices && asked.root == "/run/x/c" && asked.pid == nil)
        #expect(asked.imagesDirectory == 4 && asked.workDirectory == nil)
        #expect(try restore(spec(), .init()) { $0.settings.workPath = "/w" }.workDirectory == 5)
    }

    @Test(arguments: [RuntimeSpec.Namespace.Kind.mount, .cgroup, .time])
    func namespacesThatCRIUCannotJoinAreRefused(kind: RuntimeSpec.Namespace.Kind) {
        #expect(throws: RuntimeFailure.self) { try restore(spec { $0.linux.namespaces = [.init(kind, path: "/x")] }) }
    }

    @Test func streamsSurviveTheirFile() throws {
        let names = StreamNames(["/dev/null", "pipe:[1]", ""])
        #expect(StreamNames(json: try JSON.parse(names.json.serialized())) == names)
        #expect(StreamNames(json: ["a": 1]) == nil)
    }

    @Test func filesOfTheContainersOwnMountsAreNotOutside() {
        let table = MountTable("47 1 0:1 / / rw - ext4 /dev/a rw\n")
        #expect(StreamNames.file(mount: 47, inode: 451) == "file[2f:1c3]")
        let names = StreamNames(["file[2f:1c3]", "file[30:1]", "pipe:[47]"])
        #expect(names.outside(table) == StreamNames(["", "file[30:1]", "pipe:[47]"]))
        #expect(names.outside(table).externals == ["file[30:1]"])
        #expect(StreamNames.mount(information: "pos:\t0\nflags:\t0100000\nmnt_id:\t47\nino:\t451\n") == 47)
        #expect(StreamNames.mount(information: "pos:\t0\n") == nil)
    }
}

struct ExternalMountTests {
    private let container = MountTable(
        """
        51 40 254:0 /b/rootfs / rw - ext4 /dev/vda rw
        52 51 0:30 / /ram rw - tmpfs tmpfs rw
        55 51 254:0 /root/src /data ro - ext4 /dev/vda rw
        56 55 0:28 / /data/sub rw - tmpfs x rw
        57 55 0:31 / /data/own rw - tmpfs tmpfs rw
        58 51 254:0 /s\\040p /with\\040space rw - ext4 /dev/vda rw
        """)
    private let host = MountTable(
        """
        20 1 254:0 / / rw - ext4 /dev/vda rw
        21 20 0:28 / /root/src/sub rw - tmpfs x rw
        """)

    private func mount(_ destination: String, _ source: String, recursive: Bool = false) -> ExternalMounts.Wanted {
        ExternalMounts.Wanted(destination: destination, source: source, recursive: recursive)
    }

    @Test func theTableIsReadWithItsEscapes() {
        #expect(container.entries.count == 6)
        #expect(container.at("/with space")?.root == "/s p")
        #expect(container.below("/data").map(\.rest) == ["/sub", "/own"])
        #expect(container.below("/").count == 5)
        #expect(MountTable("nonsense\n1 2 3\n").entries.isEmpty)
    }

    @Test func whatARecursiveBindBroughtAlongIsExternalToo() {
        let found = ExternalMounts.ofContainer(
            [mount("/data", "/root/src", recursive: true), mount("/gone", "/x")], table: container, host: host,
            resolve: { $0 }, real: { $0 })
        #expect(found.map(\.key) == ["/data", "/data/sub"], "a tmpfs of the container's own is dumped with it")
        let plain = ExternalMounts.ofContainer(
            [mount("/data", "/root/src")], table: container, host: host, resolve: { $0 }, real: { $0 })
        #expect(plain.map(\.key) == ["/data"])
    }

    @Test func aRestoreFindsTheSourcesByTheSameKeys() {
        let found = ExternalMounts.ofBundle(
            [mount("/link", "/root/src", recursive: true), mount("/data/sub", "/other")], host: host,
            resolve: { $0 == "/link" ? "/data" : nil }, real: { $0 })
        #expect(found == [.init("/data", "/root/src"), .init("/data/sub", "/other")])
    }

    @Test func cgroupsAreTheHostsWithoutANamespaceForThem() throws {
        var spec = RuntimeSpec(process: RuntimeSpec.Process(arguments: ["sh"]))
        let mounts = [
            try PlannedMount(RuntimeSpec.Mount(destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup"))
        ]
        let unified = CgroupLayout(mountTable: "1 0 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
        let wanted = ExternalMounts.wanted(spec, mounts: mounts, cgroups: unified, cgroupPath: "/c")
        #expect(wanted == [mount("/sys/fs/cgroup", "/sys/fs/cgroup/c")])
        let divided = CgroupLayout(mountTable: "1 0 0:1 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n")
        #expect(
            ExternalMounts.wanted(spec, mounts: mounts, cgroups: divided, cgroupPath: "/c") == [
                mount("/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/c")
            ])
        spec.linux.namespaces = [.init(.cgroup)]
        #expect(ExternalMounts.wanted(spec, mounts: mounts, cgroups: unified, cgroupPath: "/c").isEmpty)
    }

    @Test func devicesOfAUserNamespaceAreTheHosts() {
        var spec = RuntimeSpec(process: RuntimeSpec.Process(arguments: ["sh"]))
        spec.linux.namespaces = [.init(.user)]
        let layout = CgroupLayout(mountTable: "")
        let wanted = ExternalMounts.wanted(spec, mounts: [], cgroups: layout, cgroupPath: "")
        #expect(wanted.contains(mount("/dev/null", "/dev/null")))
    }
}
