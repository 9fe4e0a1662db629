import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// What an ordinary user may not do, and is told so.
@Suite(.serialized, .enabled(if: Bundle.canRun, "becoming a user needs root"))
struct RootlessLimitTests {
    private let bundle: UserBundle

    init() throws { bundle = try UserBundle() }

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
}
