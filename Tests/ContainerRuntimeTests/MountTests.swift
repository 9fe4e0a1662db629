import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Mounts and their options, seen from inside and from the host.
@Suite(.serialized, .enabled(if: Bundle.canRun, "namespaces and mounts need root"))
struct MountTests {
    private let bundle: Bundle

    init() throws {
        bundle = try Bundle()
        try makeDirectories(bundle.path + "/source/below")
    }

    /// The options and optional fields of the mount at a place, from mountinfo's text.
    private func line(_ text: String, _ place: String) -> String? {
        text.split(separator: "\n").last { $0.split(separator: " ").dropFirst(4).first.map(String.init) == place }
            .map(String.init)
    }

    private func bind(_ options: String...) -> [RuntimeSpec.Mount] {
        [RuntimeSpec.Mount(destination: "/there", type: "bind", source: bundle.path + "/source", options: options)]
    }

    /// Runs `body` while a tmpfs is mounted below the source, in a mount namespace that only this thread sees.
    private func withMountBelow(_ body: () throws -> Void) throws {
        let below = try MountTree(type: "tmpfs", source: "tmpfs")
        let place = try open(bundle.path + "/source/below", O_PATH)
        try below.attach(over: place.raw)
        defer { try? detachMount(bundle.path + "/source/below") }
        try body()
    }

    @Test func recursiveAttributesReachTheMountsBelow() throws {
        defer { bundle.remove() }
        try withMountBelow {
            let deep = try bundle.run("cat /proc/self/mountinfo", mounts: bind("rbind", "rro", "rnosuid"))
            #expect(try #require(line(deep.output, "/there")).contains("ro,nosuid"))
            #expect(try #require(line(deep.output, "/there/below")).contains("ro,nosuid"))
            let flat = try bundle.run(
                "cat /proc/self/mountinfo", mounts: bind("rbind", "ro", "nodev", "noexec", "noatime"))
            #expect(try #require(line(flat.output, "/there")).contains("ro,nodev,noexec,noatime"))
            #expect(try #require(line(flat.output, "/there/below")).contains(" rw,"))
            let single = try bundle.run("cat /proc/self/mountinfo", mounts: bind("bind"))
            #expect(line(single.output, "/there/below") == nil)
        }
    }

    @Test func aPlaceBehindALinkIsWhatEarlierMountsMadeOfIt() throws {
        defer { bundle.remove() }
        try makeSymlink(bundle.path + "/rootfs/link", to: "sys")
        let result = try bundle.run(
            "ls -A /sys/kernel; cat /proc/self/mountinfo",
            mounts: [
                RuntimeSpec.Mount(destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"]),
                RuntimeSpec.Mount(destination: "/link/kernel", type: "tmpfs", source: "above"),
            ])
        #expect(result.lines.first?.contains(" ") == true, "not empty: \(result.output) \(result.errors)")
        #expect(try #require(line(result.output, "/sys/kernel")).contains("above"))
    }

    @Test func whatIsBoundOfTheProcessItselfIsTheContainersOwn() throws {
        defer { bundle.remove() }
        let result = try bundle.run(
            "stat -L -c %i /there /proc/self/ns/net",
            mounts: [
                RuntimeSpec.Mount(
                    destination: "/there", type: "bind", source: "/proc/self/ns/net", options: ["bind"])
            ])
        #expect(result.lines.count == 2 && result.lines.first == result.lines.last, "\(result.output) \(result.errors)")
    }

    @Test func aMountIsChangedWhereItIs() throws {
        defer { bundle.remove() }
        let result = try bundle.run(
            "cat /proc/self/mountinfo",
            mounts: bind("bind") + [
                RuntimeSpec.Mount(
                    destination: "/there", type: "none", source: "none", options: ["remount", "bind", "ro"])
            ])
        #expect(try #require(line(result.output, "/there")).contains(" ro,"), "\(result.errors)")
    }

    @Test func aReadOnlyTmpfsHasTheCopyOfWhatItCovers() throws {
        defer { bundle.remove() }
        try makeDirectories(bundle.path + "/rootfs/data/deep")
        try writeFile(bundle.path + "/rootfs/data/deep/file", Array("kept\n".utf8))
        let result = try bundle.run(
            "cat /data/deep/file; touch /data/new 2>&1",
            mounts: [
                RuntimeSpec.Mount(destination: "/data", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", "ro"])
            ])
        #expect(
            result.output.hasPrefix("kept\n") && result.output.contains("Read-only file system"), "\(result.errors)")
        let refused = try bundle.run(
            "true",
            mounts: [RuntimeSpec.Mount(destination: "/data", type: "proc", source: "proc", options: ["tmpcopyup"])])
        #expect(refused.errors.contains("tmpcopyup is for a tmpfs"))
    }

    @Test func ownersAreMappedForOneMount() throws {
        defer { bundle.remove() }
        try setOwnerEntry(bundle.path + "/source", uid: 1000, gid: 1000, at: Directory.working)
        let mapping = [RuntimeSpec.IDMapping(container: 1000, host: 4000, size: 10)]
        var mount = bind("bind")[0]
        (mount.uidMappings, mount.gidMappings) = (mapping, mapping)
        let result = try bundle.run("stat -c %u:%g /there", mounts: [mount])
        if result.errors.contains("id mapping"), result.errors.contains("invalid argument") { return }
        #expect(result.output == "4000:4000\n", "\(result.errors)")
    }

    @Test func ownersAreMappedByTheContainersUserNamespace() throws {
        defer { bundle.remove() }
        let result = try bundle.run("stat -c %u:%g /there", mounts: bind("rbind", "ridmap")) { spec in
            spec.linux.namespaces.append(.init(.user))
            spec.linux.uidMappings = [.init(container: 0, host: 200_000, size: 65536)]
            spec.linux.gidMappings = spec.linux.uidMappings
            try? makeDirectories(bundle.path + "/rootfs/there")
        }
        if result.errors.contains("id mapping"), result.errors.contains("invalid argument") { return }
        #expect(result.output == "0:0\n", "root on the host is root inside: \(result.errors)")
    }

    @Test func aMappedSourceIsWhatEarlierMountsMadeOfIt() throws {
        defer { bundle.remove() }
        try writeFile(bundle.path + "/source/file", Array("seen\n".utf8))
        var mount = RuntimeSpec.Mount(
            destination: "/again", type: "bind", source: bundle.path + "/rootfs/there", options: ["bind"])
        (mount.uidMappings, mount.gidMappings) = (
            [RuntimeSpec.IDMapping(container: 0, host: 4000, size: 10)],
            [RuntimeSpec.IDMapping(container: 0, host: 4000, size: 10)]
        )
        let result = try bundle.run("cat /again/file; stat -c %u /again/file", mounts: bind("bind") + [mount])
        if result.errors.contains("id mapping"), result.errors.contains("invalid argument") { return }
        #expect(result.output == "seen\n4000\n", "\(result.errors)")
    }

    @Test func aBindThatNamesAttributesHasNoOthers() throws {
        defer { bundle.remove() }
        let source = try MountTree(type: "tmpfs", source: "tmpfs", attributes: [.noExec, .noSUID, .noAccessTime])
        let place = try open(bundle.path + "/source", O_PATH)
        try source.attach(over: place.raw)
        defer { try? detachMount(bundle.path + "/source") }
        let named = try bundle.run("cat /proc/self/mountinfo", mounts: bind("bind", "nodev"))
        let options = try #require(line(named.output, "/there"), "\(named.errors)").split(separator: " ")[5]
        #expect(options == "rw,nodev,noatime")
        let plain = try bundle.run("cat /proc/self/mountinfo", mounts: bind("bind"))
        #expect(try #require(line(plain.output, "/there")).contains("nosuid,noexec,noatime"))
    }

    @Test func whatTheHostForbidsStaysForbiddenInAUserNamespace() throws {
        defer { bundle.remove() }
        let source = try MountTree(type: "tmpfs", source: "tmpfs", attributes: [.readOnly, .noExec])
        let place = try open(bundle.path + "/source", O_PATH)
        try source.attach(over: place.raw)
        defer { try? detachMount(bundle.path + "/source") }
        func run(_ options: String...) throws -> Bundle.Output {
            let mount = RuntimeSpec.Mount(
                destination: "/there", type: "bind", source: bundle.path + "/source", options: options)
            try? makeDirectories(bundle.path + "/rootfs/there")
            return try bundle.run("cat /proc/self/mountinfo", mounts: [mount]) { spec in
                spec.linux.namespaces.append(.init(.user))
                spec.linux.uidMappings = [.init(container: 0, host: 200_000, size: 65536)]
                spec.linux.gidMappings = spec.linux.uidMappings
            }
        }
        let kept = try run("bind", "nodev")
        #expect(try #require(line(kept.output, "/there"), "\(kept.errors)").contains("ro,nodev,noexec"))
        let refused = try run("bind", "rw")
        #expect(refused.code != 0 && refused.errors.contains("mount_setattr"), "\(refused.output)\(refused.errors)")
    }

    @Test func anIdMapWithoutMappingsIsRefused() throws {
        defer { bundle.remove() }
        let result = try bundle.run("true", mounts: bind("bind", "idmap"))
        #expect(result.errors.contains("idmap needs mappings"), "\(result.errors)")
    }

    @Test(arguments: [("rslave", "master:"), ("rshared", "shared:"), ("rprivate", ""), ("runbindable", "unbindable")])
    func theRootHasItsPropagation(propagation: String, field: String) throws {
        defer { bundle.remove() }
        let result = try bundle.run("cat /proc/self/mountinfo") { $0.linux.rootfsPropagation = propagation }
        let fields = try #require(line(result.output, "/"), "\(result.errors)")
        if propagation == "rslave" {
            // It has a master only where the host's mount is shared.
            #expect(!fields.contains("shared:"))
        } else if field.isEmpty {
            #expect(!fields.contains("shared:") && !fields.contains("master:"))
        } else {
            #expect(fields.contains(field), "\(fields)")
        }
    }

    @Test func aSharedBindTellsTheHost() throws {
        defer { bundle.remove() }
        try withMountBelow {
            let place = bundle.path + "/source/below"
            let shared = try open(place, O_PATH)
            try changeMount(shared.raw, propagation: .shared)
            try makeDirectory(place + "/inner")
            let pid = try bundle.create("mount -t tmpfs inner /there/inner && sleep 1000") { spec in
                spec.mounts.append(
                    RuntimeSpec.Mount(
                        destination: "/there", type: "bind", source: place, options: ["rbind", "rshared"]))
                spec.process?.capabilities?.bounding.append("CAP_SYS_ADMIN")
                spec.process?.capabilities?.effective.append("CAP_SYS_ADMIN")
                spec.process?.capabilities?.permitted.append("CAP_SYS_ADMIN")
            }
            #expect(try bundle.runtime("start", bundle.id).code == 0)
            try waitForMount(place + "/inner", pid)
            #expect(try readText("/proc/self/mountinfo").contains(" \(place)/inner "))
            #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
            try? detachMount(place + "/inner")
        }
    }

    /// Waits until the container's own mount is there; mountinfo is readable again whenever the table has changed.
    private func waitForMount(_ place: String, _ pid: pid_t) throws {
        let table = try open("/proc/self/mountinfo", O_RDONLY)
        let deadline = Clock.monotonicMilliseconds() + 120_000
        while Clock.monotonicMilliseconds() < deadline {
            if try readText("/proc/self/mountinfo").contains(" \(place) ") { return }
            _ = try poll([(table.raw, Int16(POLLPRI))], timeout: 500)
        }
    }
}
