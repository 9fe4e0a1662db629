import CLinux
import JSON
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Containers of an ordinary user.
@Suite(.serialized, .enabled(if: Bundle.canRun, "becoming a user needs root"))
struct RootlessTests {
    private let bundle: UserBundle

    init() throws { bundle = try UserBundle() }

    private static let identity =
        "cat /proc/self/uid_map /proc/self/setgroups; grep -E '^(Groups|CapEff)' /proc/self/status"

    // MARK: Who they are

    @Test func aUserIsRootOfItsContainer() throws {
        defer { bundle.remove() }
        let result = try bundle.run(
            "id -u; \(Self.identity); touch /tmp/made; echo gone > /dev/null; stat -c %t:%T /dev/null")
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.lines.first == "0")
        #expect(result.lines.contains { $0.split(separator: " ") == ["0", "60010", "1"] })
        #expect(result.lines.contains("deny"), "who maps only itself may not drop groups")
        #expect(result.lines.contains("1:3"))
        #expect(try status(bundle.path + "/rootfs/tmp/made").st_uid == UserBundle.user)
        #expect(bundle.leftNothing)
    }

    @Test(.enabled(if: UserBundle.hasHelpers, "needs newuidmap and newgidmap (Debian: uidmap)"))
    func rangesAreMappedByThoseWhoMay() throws {
        defer { bundle.remove() }
        let root = try bundle.run("id -u; \(Self.identity)") { $0.mapRange() }
        #expect(root.code == 0, "\(root.errors)")
        #expect(root.lines.contains { $0.split(separator: " ") == ["1", "3000000", "65535"] })
        #expect(root.lines.contains { $0.split(whereSeparator: \.isWhitespace) == ["Groups:"] }, "\(root.output)")
        let other = try bundle.run("id -u; id -g; \(Self.identity)") {
            $0.mapRange()
            $0.process?.user = .numbers(1000, 1001, groups: [5, 6])
        }
        #expect(other.lines.prefix(2) == ["1000", "1001"], "\(other.errors)")
        #expect(other.lines.contains { $0.split(whereSeparator: \.isWhitespace) == ["Groups:", "5", "6"] })
    }

    @Test(
        .enabled(if: UserBundle.hasHelpers, "needs newuidmap and newgidmap (Debian: uidmap)"),
        arguments: [UInt32(0), 1000, 3_065_536])
    func idsThatAreNotTheUsersAreRefused(host: UInt32) throws {
        defer { bundle.remove() }
        let users = try bundle.run("echo ran") { $0.linux.uidMappings = [.init(container: 0, host: host, size: 1)] }
        #expect(users.code != 0 && users.output.isEmpty)
        #expect(users.errors.contains("newuidmap 0 \(host) 1 refused; see /etc/subuid"), "\(users.errors)")
        let groups = try bundle.run("echo ran") {
            $0.linux.gidMappings.append(.init(container: 1, host: host, size: 1))
        }
        #expect(groups.code != 0 && groups.output.isEmpty)
        #expect(groups.errors.contains("newgidmap"), "\(groups.errors)")
        #expect(bundle.leftNothing)
    }

    @Test func aNamespaceWithoutARootIsSetUpByItsUser() throws {
        defer { bundle.remove() }
        let result = try bundle.run("id -u; id -g; stat -c %u:%g /dev; touch /tmp/made") {
            $0.linux.uidMappings = [.init(container: 1000, host: UserBundle.user, size: 1)]
            $0.linux.gidMappings = [.init(container: 1001, host: UserBundle.user, size: 1)]
            $0.process?.user = .numbers(1000, 1001)
        }
        #expect(result.lines == ["1000", "1001", "1000:1001"], "\(result.errors)")
    }

    @Test func groupsThatCannotBeChangedAreNotAskedFor() throws {
        defer { bundle.remove() }
        let result = try bundle.run("echo ran") { $0.process?.user.additionalGids = [5] }
        #expect(result.errors.contains("additional groups, which this user namespace does not allow"))
        #expect(result.output.isEmpty && bundle.leftNothing)
    }

    @Test func withoutAUserNamespaceThereIsAnError() throws {
        defer { bundle.remove() }
        let result = try bundle.run("echo ran") {
            $0.linux.namespaces.removeAll { $0.kind == .user }
            ($0.linux.uidMappings, $0.linux.gidMappings) = ([], [])
        }
        #expect(result.errors.contains("only root may do without a user namespace"), "\(result.errors)")
        #expect(bundle.leftNothing)
    }

    // MARK: A life

    @Test func aContainerLivesAndEnds() throws {
        defer { bundle.remove() }
        let pid = try bundle.create("trap 'exit 7' TERM; while :; do sleep 0.05; done")
        #expect(try status(bundle.stateFolder).permissions == 0o700)
        #expect(try status(bundle.stateFolder).st_uid == UserBundle.user)
        #expect(try bundle.document()["status"]?.stringValue == "created")
        let early = try bundle.runtime("exec", bundle.id, "true")
        #expect(early.errors.contains("which only root may enter while it waits for its start"), "\(early.errors)")
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        #expect(try bundle.document()["owner"]?.stringValue == "skiff-user")
        #expect(try bundle.runtime("list", "--quiet").lines == [bundle.id])
        let inside = try bundle.runtime("exec", bundle.id, "sh", "-c", "id -u; readlink /proc/self/ns/pid; exit 9")
        #expect(inside.code == 9 && inside.lines.first == "0", "\(inside.errors)")
        #expect(inside.lines.last == (try readLink("/proc/\(pid)/ns/pid")))
        #expect(try bundle.runtime("exec", "--tty", bundle.id, "sh", "-c", "ls /dev/pts").output.contains("0"))
        let groups = try bundle.runtime("exec", "-g", "5", bundle.id, "true")
        #expect(groups.errors.contains("additional groups, which this user namespace does not allow"))
        let stranger = try bundle.runtime("exec", "--user", "70000", bundle.id, "true")
        #expect(stranger.errors.contains("70000, which this user namespace does not map"), "\(stranger.errors)")
        #expect(try bundle.runtime("ps", "--format=json", bundle.id).output.contains("\(pid)"))
        let pause = try bundle.runtime("pause", bundle.id)
        #expect(pause.errors.contains("it has no cgroup, since its user may make none"), "\(pause.errors)")
        #expect(try bundle.runtime("update", "--memory", "10m", bundle.id).errors.contains("it has no cgroup"))
        #expect(try bundle.runtime("kill", bundle.id, "TERM").code == 0)
        #expect(try bundle.bundle.waitForEnd(pid))
        #expect(try bundle.runtime("delete", bundle.id).code == 0)
        #expect(bundle.leftNothing)
    }

    @Test func everyProcessIsFoundWithoutACgroup() throws {
        defer { bundle.remove() }
        let pid = try bundle.create("sleep 100 & sleep 100 & wait")
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        let null = try open("/dev/null", O_RDWR)
        _ = try bundle.asUser(
            [bundle.path + "/program", "exec", "--detach", bundle.id, "sleep", "100"], passing: [(null.raw, 0)])
        var seen: [Int64] = []
        // The shell makes its own while this looks.
        for _ in 0..<500 where seen.count < 4 {
            let listed = try JSON.parse(Array(bundle.runtime("ps", "--format=json", bundle.id).output.utf8))
            seen = listed.arrayValue?.compactMap(\.intValue) ?? []
        }
        #expect(seen.count == 4 && seen.contains(Int64(pid)))
        #expect(try bundle.runtime("kill", "--all", bundle.id, "KILL").code == 0)
        for number in seen { #expect(try bundle.bundle.waitForEnd(pid_t(number))) }
    }

    @Test func hooksRunAsTheUser() throws {
        defer { bundle.remove() }
        let record = bundle.path + "/run/record"
        func hook(_ name: String) -> RuntimeSpec.Hook {
            RuntimeSpec.Hook(
                path: "/bin/sh", arguments: ["sh", "-c", "echo \(name) $(id -u) >> \(record)"])
        }
        let result = try bundle.run("true") {
            $0.hooks.prestart = [hook("prestart")]
            $0.hooks.createRuntime = [hook("createRuntime")]
            $0.hooks.poststart = [hook("poststart")]
            $0.hooks.poststop = [hook("poststop")]
        }
        #expect(result.code == 0, "\(result.errors)")
        #expect(
            try readText(record).split(separator: "\n").map(String.init)
                == ["prestart", "createRuntime", "poststart", "poststop"].map { "\($0) 60010" })
    }

    @Test func filtersHoldWithoutNoNewPrivileges() throws {
        defer { bundle.remove() }
        let result = try bundle.run("mkdir /tmp/refused; grep Seccomp: /proc/self/status") {
            $0.process?.noNewPrivileges = false
            var seccomp = RuntimeSpec.Seccomp(defaultAction: "SCMP_ACT_ALLOW")
            seccomp.rules = [.init(names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO")]
            $0.linux.seccomp = seccomp
        }
        #expect(result.lines.last?.hasSuffix("2") == true, "\(result.errors)")
        #expect(!exists(bundle.path + "/rootfs/tmp/refused"))
    }

    // MARK: What a user may not

    @Test func limitsThatCannotBeKeptAreRefused() throws {
        defer { bundle.remove() }
        let limits = try bundle.run("echo ran") {
            $0.linux.resources.memory.limit = 1 << 26
            $0.linux.resources.pidsLimit = 10
        }
        #expect(limits.errors.contains("memory, pids cannot be kept without a cgroup"), "\(limits.errors)")
        let path = try bundle.run("echo ran") { $0.linux.cgroupsPath = "/skiff-\(bundle.id)" }
        #expect(path.errors.contains("linux.cgroupsPath /skiff-\(bundle.id)"), "\(path.errors)")
        #expect(limits.output.isEmpty && path.output.isEmpty && bundle.leftNothing && bundle.bundle.leftNothing)
        let devices = try bundle.run("echo ran") { $0.linux.resources.devices = [.init(allow: false)] }
        #expect(devices.output == "ran\n")
        #expect(devices.errors.contains("linux.resources.devices does not hold"), "\(devices.errors)")
        let strict = try bundle.asUser(
            [bundle.path + "/program", "--rootless", "false", "run", "--bundle", bundle.path, bundle.id])
        #expect(strict.code != 0 && strict.errors.contains("set up cgroup"), "\(strict.errors)")
    }

    @Test func theOutOfMemoryScoreIsRaisedOnly() throws {
        defer { bundle.remove() }
        let own = try bundle.asUser(["cat", "/proc/self/oom_score_adj"]).output
        let lower = try bundle.run("cat /proc/self/oom_score_adj") { $0.process?.oomScoreAdjustment = -900 }
        #expect(lower.output == own)
        #expect(lower.errors.contains("process.oomScoreAdj stays"), "\(lower.errors)")
        let higher = try bundle.run("cat /proc/self/oom_score_adj") { $0.process?.oomScoreAdjustment = 901 }
        #expect(higher.output == "901\n", "\(higher.errors)")
    }

    @Test func devicesAreTheHostsOwnOrNone() throws {
        defer { bundle.remove() }
        let host = try bundle.run("stat -c %t:%T:%u /dev/zero; test -p /dev/fifo && echo fifo") {
            $0.linux.devices = [
                RuntimeSpec.Device(type: "c", path: "/dev/zero", major: 1, minor: 5),
                RuntimeSpec.Device(type: "p", path: "/dev/fifo", major: 0, minor: 0),
            ]
        }
        #expect(host.lines == ["1:5:65534", "fifo"], "\(host.errors)")
        let other = try bundle.run("echo ran") {
            $0.linux.devices = [RuntimeSpec.Device(type: "c", path: "/dev/zero", major: 1, minor: 3)]
        }
        #expect(other.errors.contains("/dev/zero: the host's is another device"), "\(other.errors)")
        #expect(other.output.isEmpty && bundle.leftNothing)
    }

    @Test func ownersAreNotMapped() throws {
        defer { bundle.remove() }
        let result = try bundle.run(
            "echo ran",
            mounts: [
                .init(destination: "/tmp", type: "bind", source: bundle.path + "/run", options: ["bind", "idmap"])
            ])
        #expect(result.errors.contains("only root may map owners"), "\(result.errors)")
    }

    // MARK: What is shown

    @Test func namespacesOfTheHostAreShownAsTheyAre() throws {
        defer { bundle.remove() }
        let sysfs = RuntimeSpec.Mount(destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro", "nosuid"])
        let own = try bundle.run("ls /sys/class/net; ip addr show dev lo", mounts: [sysfs])
        #expect(own.lines.first == "lo" && own.output.contains("inet 127.0.0.1/8"), "\(own.errors)")
        let shared = try bundle.run("ls /sys/class/net; touch /sys/made", mounts: [sysfs]) {
            $0.linux.namespaces.removeAll { $0.kind == .network }
        }
        let host = try open("/sys/class/net", O_RDONLY | O_DIRECTORY)
        #expect(Set(shared.lines) == Set(try readDirectory(host.raw).map(\.name.text)), "\(shared.errors)")
        #expect(shared.errors.contains("Read-only file system"))
        let processes = try bundle.run("cat /proc/1/comm; stat -f -c %T /proc") {
            $0.linux.namespaces.removeAll { $0.kind == .pid }
        }
        #expect(
            processes.lines == [try readText("/proc/1/comm").filter { !$0.isNewline }, "proc"], "\(processes.errors)")
    }

    @Test func sourcesAreOpenedAsTheUser() throws {
        defer { bundle.remove() }
        for (name, owner) in [("own", UserBundle.user), ("roots", 0)] {
            try makeDirectory("\(bundle.path)/\(name)", mode: 0o700)
            try writeFile("\(bundle.path)/\(name)/file", Array("content\n".utf8))
            try setOwnerEntry("\(bundle.path)/\(name)", uid: owner, gid: owner, at: Directory.working)
        }
        func bind(_ name: String) -> RuntimeSpec.Mount {
            .init(
                destination: "/tmp/file", type: "bind", source: "\(bundle.path)/\(name)/file", options: ["bind", "ro"])
        }
        #expect(try bundle.run("cat /tmp/file", mounts: [bind("own")]).output == "content\n")
        let refused = try bundle.run("cat /tmp/file", mounts: [bind("roots")])
        #expect(refused.output.isEmpty && refused.errors.contains("permission denied"), "\(refused.errors)")
    }

    @Test func nothingOfTheCallersIsLeftOpen() throws {
        defer { bundle.remove() }
        let secret = try open(bundle.path + "/etc/passwd", O_RDONLY), host = try open("/", O_RDONLY | O_DIRECTORY)
        try bundle.write("for f in /proc/1/fd/*; do readlink $f; done")
        let result = try bundle.asUser(
            [bundle.path + "/program", "run", "--bundle", bundle.path, bundle.id],
            passing: [(secret.raw, 7), (host.raw, 9)])
        #expect(result.lines.count == 3, "\(result.output)\(result.errors)")
        #expect(!result.output.contains("passwd"))
    }

    @Test(.enabled(if: exists("/proc/self/ns/time"), "the kernel has no time namespaces"))
    func aTimeNamespaceHasClocksOfItsOwn() throws {
        defer { bundle.remove() }
        let result = try bundle.run("cat /proc/uptime") {
            $0.linux.namespaces.append(.init(.time))
            $0.linux.timeOffsets = ["boottime": .init(seconds: 90_000_000)]
        }
        #expect(result.output.hasPrefix("9"), "\(result.output)\(result.errors)")
    }

    // MARK: Others' namespaces

    @Test func aContainerJoinsAnothersNamespaces() throws {
        defer { bundle.remove() }
        let pid = try bundle.create("sleep 100")
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        let kinds: [(RuntimeSpec.Namespace.Kind, String)] = [
            (.user, "user"), (.pid, "pid"), (.network, "net"), (.ipc, "ipc"), (.uts, "uts"),
        ]
        try bundle.write("cat /proc/1/comm; for n in user pid net ipc uts; do readlink /proc/self/ns/$n; done") {
            spec in
            spec.linux.namespaces = [.init(.mount)]
            for (kind, name) in kinds { spec.linux.namespaces.append(.init(kind, path: "/proc/\(pid)/ns/\(name)")) }
            (spec.linux.uidMappings, spec.linux.gidMappings) = ([], [])
        }
        let result = try bundle.runtime("run", "--bundle", bundle.path, bundle.id + "-second")
        #expect(result.code == 0, "\(result.errors)")
        #expect(
            result.lines == ["sleep"] + (try kinds.map { try readLink("/proc/\(pid)/ns/\($0.1)") }), "\(result.errors)")
        try bundle.write("echo ran") { spec in
            spec.linux.namespaces.removeAll { $0.kind == .network }
            spec.linux.namespaces.append(.init(.network, path: "/proc/\(pid)/ns/net"))
        }
        let foreign = try bundle.runtime("run", "--bundle", bundle.path, bundle.id + "-second")
        #expect(foreign.errors.contains("network namespace, which another user namespace owns"), "\(foreign.errors)")
        #expect(!exists("\(bundle.stateFolder)/\(bundle.id)-second"))
    }

    /// Rootless engines run the runtime as root of a namespace of theirs, and make containers without one.
    @Test func rootOfAUsersNamespaceMakesContainers() throws {
        defer { bundle.remove() }
        try bundle.write("cat /proc/self/uid_map; echo gone > /dev/null && echo wrote; sleep 100") {
            $0.linux.namespaces.removeAll { $0.kind == .user }
            ($0.linux.uidMappings, $0.linux.gidMappings) = ([], [])
        }
        let script = """
            "$0" create --bundle "$1" "$2" && "$0" start "$2" && "$0" exec "$2" sh -c 'cat /proc/1/comm'
            "$0" delete --force "$2"
            """
        let result = try bundle.asUser([
            "unshare", "-r", "-m", "sh", "-c", script, bundle.path + "/program", bundle.path, bundle.id,
        ])
        #expect(result.lines.contains { $0 == "sh" || $0 == "sleep" }, "\(result.output)\(result.errors)")
        #expect(result.output.contains("60010"))
        #expect(bundle.leftNothing)
    }

    // MARK: State folders

    @Test func aStateFolderOfSomebodyElseIsNotTrusted() throws {
        defer { bundle.remove() }
        let roots = bundle.path + "/roots"
        try makeDirectory(roots, mode: 0o755)
        for verb in [["list"], ["state", "x"], ["delete", "--force", "x"], ["run", "--bundle", bundle.path, "x"]] {
            try bundle.write("echo ran")
            let result = try bundle.asUser([bundle.path + "/program", "--root", roots] + verb)
            #expect(result.code != 0 && result.output.isEmpty)
            #expect(result.errors.contains("\(roots) belongs to user 0 and this is user 60010"), "\(result.errors)")
        }
        let theirs = bundle.path + "/theirs"
        try makeDirectory(theirs, mode: 0o700)
        try bundle.give(theirs)
        try makeSymlink(bundle.path + "/link", to: theirs)
        try bundle.give(bundle.path + "/link")
        let root = try bundle.bundle.runtime("--root", theirs, "list")
        #expect(root.errors.contains("belongs to user 60010 and this is user 0"), "\(root.errors)")
        let link = try bundle.bundle.runtime("--root", bundle.path + "/link", "list")
        #expect(link.code != 0 && link.errors.contains("is a link of user 60010's"), "\(link.errors)")
        try #require(chmod(theirs, 0o777) == 0)
        let writable = try bundle.asUser([bundle.path + "/program", "--root", theirs, "list"])
        #expect(writable.errors.contains("everybody may write in the state folder"), "\(writable.errors)")
    }

    @Test func withoutARuntimeFolderStatesAreBesideTheUsers() throws {
        defer { bundle.remove() }
        let folder = "/tmp/skiff-runtime-\(UserBundle.user)"
        try #require(!exists(folder))
        try bundle.write("true")
        let program = bundle.path + "/program"
        let script = """
            "$0" create --bundle "$1" "$2" && stat -c %a:%u \(folder) && ls \(folder) && "$0" delete "$2" && rmdir \(folder)
            """
        let result = try bundle.asUser(["sh", "-c", script, program, bundle.path, bundle.id], environment: [])
        #expect(result.lines == ["700:60010", bundle.id], "\(result.errors)")
    }

    // MARK: For root as well

    /// Most hosts share their mounts, and what a container mounts in its root would be seen there.
    @Test func mountsOfAContainerDoNotReachASharedMountOfTheHosts() throws {
        defer { bundle.remove() }
        let shared = bundle.path + "/rootfs"
        let share = "mount --bind \(shared) \(shared); mount --make-shared \(shared)"
        let script = "\"$0\" run --bundle \"$1\" \"$2\"; grep -c \(shared) /proc/self/mountinfo"
        try bundle.write("cat /proc/self/mountinfo")
        let user = try bundle.asUser(
            ["sh", "-c", script, bundle.path + "/program", bundle.path, bundle.id], before: share)
        #expect(user.lines.last == "1", "\(user.errors)")
        #expect(user.lines.count > 3 && !user.output.contains("shared:"), "\(user.output)")
        #expect(!user.output.contains("master:"))
        try bundle.write("cat /proc/self/mountinfo") { $0.linux.cgroupsPath = "/skiff-\(bundle.id)" }
        let root = try bundle.asUser(
            ["true"],
            before: """
                \(share)
                (set -- "$0/program" "$0" \(bundle.id); "$1" --root "$2/state" run --bundle "$2" "$3")
                grep -c \(shared) /proc/self/mountinfo
                """)
        #expect(root.lines.last == "1", "\(root.errors)")
        #expect(root.lines.count > 3 && !root.output.contains("shared:"), "\(root.output)")
    }
}

/// The decisions, without a container.
struct RootlessDecisionTests {
    @Test func aGroupIsMadeBesideTheCallersOrInIt() {
        func parent(_ own: String, delegated: Set<String>) -> String? {
            DelegatedGroup.parent(of: own) { delegated.contains($0) }
        }
        let all: Set<String> = ["/user/app", "/user/app/leaf"]
        #expect(parent("/user/app/leaf", delegated: all) == "/user/app")
        #expect(parent("/user/app/leaf", delegated: ["/user/app/leaf"]) == "/user/app/leaf")
        #expect(parent("/user/app/leaf", delegated: ["/user"]) == nil)
        #expect(parent("/leaf", delegated: [""]) == "")
        #expect(parent("", delegated: [""]) == "")
        #expect(parent("", delegated: []) == nil)
    }

    @Test func theNearestCommonGroupDecides() {
        #expect(DelegatedGroup.commonGroup("/a/b/c", "/a/b/d/e") == "/a/b")
        #expect(DelegatedGroup.commonGroup("/a/b", "/a/b/c") == "/a/b")
        #expect(DelegatedGroup.commonGroup("/a/bc", "/a/b") == "/a")
        #expect(DelegatedGroup.commonGroup("", "/a") == "")
    }

    @Test func aGroupsPathIsFoundByItsHierarchy() {
        let text = "4:memory:/process/one\n3:cpu,cpuacct:/two\n1:name=systemd:/\n0::/three/four\n"
        #expect(DelegatedGroup.ownPath(text, hierarchy: "0::") == "/three/four")
        #expect(DelegatedGroup.ownPath(text, hierarchy: ":memory:") == "/process/one")
        #expect(DelegatedGroup.ownPath(text, hierarchy: ":cpu,cpuacct:") == "/two")
        #expect(DelegatedGroup.ownPath(text, hierarchy: ":name=systemd:") == "")
        #expect(DelegatedGroup.ownPath(text, hierarchy: ":pids:") == "")
    }

    @Test func descendantsAreFoundWhateverTheirNumbers() {
        let parents: [pid_t: pid_t] = [10: 1, 11: 10, 5: 11, 3: 5, 20: 1, 21: 20]
        #expect(ProcessTree.closure(of: [10], parents: parents) == [3, 5, 10, 11])
        #expect(ProcessTree.closure(of: [20, 3], parents: parents) == [3, 20, 21])
    }

    @Test func limitsAreNamedAsTheDocumentDoes() {
        var resources = RuntimeSpec.Resources()
        resources.devices = [.init(allow: false)]
        #expect(resources.limitNames.isEmpty)
        resources.memory.limit = 1
        resources.pidsLimit = 5
        resources.unified = ["memory.high": "1"]
        #expect(resources.limitNames == ["memory", "pids", "unified"])
    }

    @Test func whoIsNotMappedOwnsNothing() throws {
        func owner(_ ranges: [RuntimeSpec.IDMapping]) throws -> uid_t {
            let user = RuntimeSpec.User.numbers(7, 8)
            return UserMappings.owner(by: try UserMappings(uid: ranges, gid: ranges, of: "linux"), else: user).uid
        }
        #expect(try owner([.init(container: 7, host: 60010, size: 1)]) == 7)
        #expect(try owner([.init(container: 7, host: 60010, size: 1), .init(container: 0, host: 1, size: 1)]) == 0)
        #expect(UserMappings.owner(by: nil, else: RuntimeSpec.User.numbers(7, 8)) == (0, 0))
    }

    @Test func aMapIsWrittenByWhoMay() {
        let own = [RuntimeSpec.IDMapping(container: 0, host: 60010, size: 1)]
        let range = own + [.init(container: 1, host: 3_000_000, size: 10)]
        #expect(UserMappings.way(own, own: 60010, privileged: false) == .directWithoutGroups)
        #expect(UserMappings.way(own, own: 60011, privileged: false) == .helper)
        #expect(UserMappings.way(range, own: 60010, privileged: false) == .helper)
        #expect(UserMappings.way(range, own: 60010, privileged: true) == .direct)
    }
}
