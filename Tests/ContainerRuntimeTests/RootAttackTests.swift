import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Attacks by what an image or a shared volume holds where the runtime mounts, makes and changes files; each is named by its
/// advisory.
///
/// The races are run ``Bundle/rounds`` times.
@Suite(.serialized, .enabled(if: Bundle.canRun, "namespaces and mounts need root"))
struct RootAttackTests {
    private let bundle: Bundle
    private let volume: String

    init() throws {
        bundle = try Bundle()
        volume = bundle.path + "/volume"
        try makeDirectory(volume)
        try bundle.makeCanary()
    }

    private func bind(_ source: String, _ destination: String) -> RuntimeSpec.Mount {
        RuntimeSpec.Mount(destination: destination, type: "bind", source: source, options: ["bind"])
    }

    /// CVE-2021-30465: another container exchanges a mount's destination in a shared volume for a link to the host.
    @Test func aDestinationThatIsExchangedMeanwhileStaysInside() throws {
        defer { bundle.remove() }
        try makeDirectory(volume + "/place")
        try makeSymlink(volume + "/link", to: bundle.canary)
        try makeDirectory(bundle.path + "/source")
        var started = 0
        try Exchange.of(volume + "/place", volume + "/link") {
            for _ in 0..<Bundle.rounds {
                let result = try bundle.run(
                    "cat /proc/self/mountinfo",
                    mounts: [bind(volume, "/vol"), bind(bundle.path + "/source", "/vol/place/made")])
                if result.code != 0 { continue }
                started += 1
                #expect(result.mounts.filter { $0[3].hasSuffix("/source") }.count == 1, "\(result.output)")
            }
        }
        #expect(started > 0)
        try bundle.expectCanaryUntouched()
    }

    /// CVE-2026-41579, CVE-2026-47766: an image whose `/dev` is a link, where devices are made.
    @Test(arguments: ["/dev", "/dev/deep/er"]) func devicesAreNotMadeBehindALinkOfTheImage(place: String) throws {
        defer { bundle.remove() }
        try unlink(bundle.path + "/rootfs/dev", directory: true)
        try makeSymlink(bundle.path + "/rootfs/dev", to: bundle.canary)
        _ = try bundle.run("true") { spec in
            spec.mounts.removeAll { $0.destination.hasPrefix("/dev") }
            spec.linux.devices = [.init(type: "c", path: place + "/made", major: 1, minor: 3, mode: 0o666)]
            spec.linux.maskedPaths = []
        }
        try bundle.expectCanaryUntouched()
    }

    /// CVE-2026-41579: a node that was there is exchanged for a link before its mode is set.
    @Test func theModeOfADeviceIsNotSetBehindALink() throws {
        defer { bundle.remove() }
        _ = try makeNodeEntry(
            volume + "/node", mode: mode_t(S_IFCHR) | 0o600, device: skiff_makedev(1, 3), at: Directory.working)
        try makeSymlink(volume + "/link", to: bundle.canaryFile)
        try Exchange.of(volume + "/node", volume + "/link") {
            for _ in 0..<Bundle.rounds {
                _ = try bundle.run("true", mounts: [bind(volume, "/vol")]) { spec in
                    var node = RuntimeSpec.Device(type: "c", path: "/vol/node", major: 1, minor: 3, mode: 0o666)
                    (node.uid, node.gid) = (0, 0)
                    spec.linux.devices = [node]
                }
            }
        }
        try bundle.expectCanaryUntouched()
    }

    /// CVE-2026-41579: the host's own `/dev` under another spelling is not filled with a container's.
    @Test(arguments: ["/dev", "/dev/", "//dev", "/./dev", "/tmp/../dev"])
    func aDeviceDirectoryOfTheHostsIsLeftAsItIs(spelling: String) throws {
        defer { bundle.remove() }
        try makeDirectory(volume + "/pts")
        try writeFile(volume + "/pts/ptmx", [])
        try writeFile(volume + "/ptmx", [])
        let result = try bundle.run("true") { spec in
            spec.mounts.removeAll { $0.destination.hasPrefix("/dev") }
            spec.mounts.append(bind(volume, spelling))
            spec.linux.maskedPaths = []
        }
        #expect(result.code == 0, "\(result.errors)")
        let directory = try open(volume, O_RDONLY | O_DIRECTORY)
        #expect(try readDirectory(directory.raw).map(\.name.text).sorted() == ["ptmx", "pts"])
        #expect(try status(volume + "/ptmx").isRegular)
    }

    /// CVE-2025-31133: `/dev/null` is exchanged for a link while it is mounted over what is masked.
    @Test func theMaskIsTheNullDeviceWhateverIsExchanged() throws {
        defer { bundle.remove() }
        _ = try makeNodeEntry(
            volume + "/null", mode: mode_t(S_IFCHR) | 0o666, device: skiff_makedev(1, 3), at: Directory.working)
        try makeDirectory(volume + "/pts")
        try writeFile(bundle.path + "/rootfs/tmp/target", Array("target".utf8))
        try makeSymlink(volume + "/link", to: "/tmp/target")
        var started = 0
        try Exchange.of(volume + "/null", volume + "/link") {
            for _ in 0..<Bundle.rounds {
                let result = try bundle.run("stat -c %t:%T /proc/keys") { spec in
                    spec.mounts.removeAll { $0.destination.hasPrefix("/dev") }
                    spec.mounts.append(bind(volume, "/dev"))
                    spec.linux.maskedPaths = ["/proc/keys"]
                }
                if result.code != 0 { continue }
                started += 1
                #expect(result.output == "1:3\n", "\(result.output)")
            }
        }
        #expect(started > 0)
    }

    /// CVE-2025-52565: `/dev/console` is exchanged for a link while the terminal is mounted over it.
    @Test func theConsoleIsMountedInside() throws {
        defer { bundle.remove() }
        _ = try makeNodeEntry(
            volume + "/null", mode: mode_t(S_IFCHR) | 0o666, device: skiff_makedev(1, 3), at: Directory.working)
        try makeDirectory(volume + "/pts")
        try writeFile(volume + "/console", [])
        try makeSymlink(volume + "/link", to: bundle.canaryFile)
        var started = 0
        try Exchange.of(volume + "/console", volume + "/link") {
            for _ in 0..<Bundle.rounds {
                let result = try bundle.run("cat /proc/self/mountinfo") { spec in
                    spec.mounts.removeAll { $0.destination == "/dev" }
                    spec.mounts.insert(bind(volume, "/dev"), at: 1)
                    spec.process?.terminal = true
                }
                if result.code != 0 { continue }
                started += 1
                #expect(result.mounts.filter { $0.contains("devpts") && $0[3] == "/0" }.count == 1, "\(result.output)")
            }
        }
        #expect(started > 0)
        try bundle.expectCanaryUntouched()
    }

    /// CVE-2025-52565: what stands where the terminals' file system should is not opened as one.
    @Test(arguments: ["file", "fifo", "link", "null"]) func aFalseMultiplexerIsRefused(kind: String) throws {
        defer { bundle.remove() }
        _ = try makeNodeEntry(
            volume + "/null", mode: mode_t(S_IFCHR) | 0o666, device: skiff_makedev(1, 3), at: Directory.working)
        try makeDirectory(volume + "/pts")
        let multiplexer = volume + "/pts/ptmx"
        switch kind {
        case "file": try writeFile(multiplexer, [])
        case "fifo": _ = try makeNodeEntry(multiplexer, mode: mode_t(S_IFIFO) | 0o600, at: Directory.working)
        case "link": try makeSymlink(multiplexer, to: bundle.canaryFile)
        default:
            _ = try makeNodeEntry(
                multiplexer, mode: mode_t(S_IFCHR) | 0o666, device: skiff_makedev(1, 3), at: Directory.working)
        }
        let change: (inout RuntimeSpec) -> Void = { spec in
            spec.mounts.removeAll { $0.destination.hasPrefix("/dev") }
            spec.mounts.append(self.bind(self.volume, "/dev"))
        }
        let result = try bundle.run("echo ran") { spec in
            change(&spec)
            spec.process?.terminal = true
        }
        #expect(result.code != 0 && !result.output.contains("ran"), "\(result.output)")
        #expect(result.errors.contains("ptmx") || result.errors.contains("is not a devpts"), "\(result.errors)")
        _ = try bundle.create("sleep 1000", change)
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        let entered = try bundle.runtime("exec", "--tty", bundle.id, "echo", "ran")
        #expect(entered.code != 0 && !entered.output.contains("ran"), "\(entered.output)")
        try bundle.expectCanaryUntouched()
    }

    /// CVE-2021-43784: no length is cut down to the bits some message has for it.
    @Test(arguments: ["source", "root", "cgroup", "namespace", "mask", "hook"]) func aPathOf64KiBIsAnError(
        place: String
    ) throws {
        defer { bundle.remove() }
        let long = "/" + String(repeating: "l", count: 65536)
        let result = try bundle.run("echo ran") { spec in
            switch place {
            case "source": spec.mounts.append(bind(long, "/there"))
            case "root": spec.root.path = long
            case "cgroup": spec.linux.cgroupsPath = long
            case "namespace": spec.linux.namespaces[2] = .init(.ipc, path: long)
            case "mask": spec.linux.maskedPaths.append(long)
            default: spec.hooks.createRuntime = [.init(path: long)]
            }
        }
        #expect(result.code != 0 && !result.output.contains("ran"), "\(result.output)")
        #expect(result.errors.contains("file name too long"), "\(result.errors.prefix(200))")
        #expect(bundle.leftNothing)
    }
}
