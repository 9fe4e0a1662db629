import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// What an ordinary user's container sees of the host, and the host of it.
@Suite(.serialized, .enabled(if: Bundle.canRun, "becoming a user needs root"))
struct RootlessViewTests {
    private let bundle: UserBundle

    init() throws { bundle = try UserBundle() }

    @Test func namespacesOfTheHostAreShownAsTheyAre() throws {
        defer { bundle.remove() }
        let sysfs = RuntimeSpec.Mount(destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro", "nosuid"])
        let own = try bundle.run("ls /sys/class/net; ip addr show dev lo", mounts: [sysfs])
        #expect(own.lines.first == "lo" && own.output.contains("inet 127.0.0.1/8"), "\(own.errors)")
        let (shared, interfaces) = try UserBundle.whileInterfacesChange {
            let shared = try bundle.run("ls /sys/class/net; touch /sys/made", mounts: [sysfs]) {
                $0.linux.namespaces.removeAll { $0.kind == .network }
            }
            let host = try open("/sys/class/net", O_RDONLY | O_DIRECTORY)
            return (shared, Set(try readDirectory(host.raw).map(\.name.text)))
        } agree: {
            Set($0.lines) == $1
        }
        #expect(Set(shared.lines) == interfaces, "\(shared.errors)")
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
