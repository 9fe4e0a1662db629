import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Namespaces of every kind, new and joined.
@Suite(.serialized, .enabled(if: Bundle.canRun, "namespaces and mounts need root"))
struct NamespaceTests {
    private let bundle: Bundle

    init() throws { bundle = try Bundle() }

    private static let mappings = [RuntimeSpec.IDMapping(container: 0, host: 200_000, size: 65536)]

    private func inUserNamespace(_ spec: inout RuntimeSpec) {
        spec.linux.namespaces.append(.init(.user))
        spec.linux.uidMappings = Self.mappings
        spec.linux.gidMappings = Self.mappings
    }

    @Test(.enabled(if: exists("/proc/self/ns/time"), "the kernel has no time namespaces"))
    func aTimeNamespaceHasClocksOfItsOwn() throws {
        defer { bundle.remove() }
        let result = try bundle.run("cat /proc/uptime; readlink /proc/self/ns/time; cat /proc/self/timens_offsets") {
            $0.linux.namespaces.append(.init(.time))
            $0.linux.timeOffsets = [
                "boottime": .init(seconds: 1_000_000), "monotonic": .init(seconds: 7, nanoseconds: 5),
            ]
        }
        #expect(result.code == 0, "\(result.errors)")
        let uptime = try #require(Double(result.lines[0].split(separator: " ")[0]))
        #expect(uptime > 1_000_000)
        #expect(result.lines[1] != (try readLink("/proc/self/ns/time")))
        #expect(
            result.output.contains("1000000") && result.lines.contains { $0.hasPrefix("monotonic") && $0.contains("7") }
        )
    }

    @Test(.enabled(if: exists("/proc/self/ns/time"), "the kernel has no time namespaces"))
    func whatEntersHasTheContainersClocks() throws {
        defer { bundle.remove() }
        _ = try bundle.create("sleep 1000") {
            $0.linux.namespaces.append(.init(.time))
            $0.linux.timeOffsets = ["boottime": .init(seconds: 5_000_000)]
        }
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        let inside = try bundle.runtime("exec", bundle.id, "cat", "/proc/uptime")
        #expect(try #require(Double(inside.output.split(separator: " ")[0])) > 5_000_000, "\(inside.errors)")
    }

    @Test func aUserNamespaceMapsItsRoot() throws {
        defer { bundle.remove() }
        let script = "id -u; cat /proc/self/uid_map /proc/self/gid_map; stat -c %u /; touch /tmp/made && echo made"
        try setOwnerEntry(bundle.path + "/rootfs/tmp", uid: 200_000, gid: 200_000, at: Directory.working)
        let result = try bundle.run(script, inUserNamespace)
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.lines.first == "0")
        #expect(result.lines.filter { $0.split(separator: " ") == ["0", "200000", "65536"] }.count == 2)
        #expect(result.lines.contains("65534"), "the image's root belongs to nobody the container knows")
        #expect(try status(bundle.path + "/rootfs/tmp/made").st_uid == 200_000)
    }

    @Test func aSourceItsRootMayNotWalkToIsMountedAllTheSame() throws {
        defer { bundle.remove() }
        let hidden = bundle.path + "/hidden"
        try makeDirectory(hidden, mode: 0o700)
        try writeFile(hidden + "/file", Array("secret\n".utf8), mode: 0o644)
        let result = try bundle.run(
            "cat /tmp/there",
            mounts: [
                RuntimeSpec.Mount(
                    destination: "/tmp/there", type: "bind", source: hidden + "/file", options: ["bind", "ro"])
            ],
            { spec in
                inUserNamespace(&spec)
                try? makeDirectories(bundle.path + "/rootfs/tmp")
                try? writeFile(bundle.path + "/rootfs/tmp/there", [])
            })
        #expect(result.output == "secret\n", "\(result.errors)")
    }

    @Test func aContainerJoinsAnothersUserNamespace() throws {
        defer { bundle.remove() }
        let pid = try bundle.create("sleep 1000", inUserNamespace)
        let other = try Bundle()
        defer { other.remove() }
        let result = try other.run(
            "id -u; cat /proc/self/uid_map; readlink /proc/self/ns/user; readlink /proc/self/ns/net"
        ) {
            $0.linux.namespaces.removeAll { $0.kind == .network }
            $0.linux.namespaces.append(.init(.user, path: "/proc/\(pid)/ns/user"))
            $0.linux.namespaces.append(.init(.network, path: "/proc/\(pid)/ns/net"))
        }
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.lines.first == "0")
        #expect(result.output.contains("200000"))
        #expect(result.lines.suffix(2) == [try readLink("/proc/\(pid)/ns/user"), try readLink("/proc/\(pid)/ns/net")])
        #expect(other.leftNothing)
    }

    @Test func whatEntersAUserNamespaceIsItsRoot() throws {
        defer { bundle.remove() }
        _ = try bundle.create("sleep 1000", inUserNamespace)
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        let inside = try bundle.runtime("exec", bundle.id, "sh", "-c", "id -u; grep CapEff /proc/self/status")
        #expect(inside.lines.first == "0", "\(inside.errors)")
        #expect(inside.output.contains("0000000000000001"))
    }

    @Test(arguments: [RuntimeSpec.Namespace.Kind.pid, .ipc, .uts, .network, .cgroup])
    func aNamespaceIsJoinedByPath(kind: RuntimeSpec.Namespace.Kind) throws {
        defer { bundle.remove() }
        let pid = try bundle.create("sleep 1000")
        let name = kind == .network ? "net" : kind.rawValue
        let other = try Bundle()
        defer { other.remove() }
        let result = try other.run("readlink /proc/self/ns/\(name)") {
            $0.linux.namespaces.removeAll { $0.kind == kind }
            $0.linux.namespaces.append(.init(kind, path: "/proc/\(pid)/ns/\(name)"))
        }
        #expect(result.lines == [try readLink("/proc/\(pid)/ns/\(name)")], "\(result.errors)")
    }

    @Test func aPathThatIsNoNamespaceIsRefused() throws {
        defer { bundle.remove() }
        let result = try bundle.run("true") {
            $0.linux.namespaces.removeAll { $0.kind == .ipc }
            $0.linux.namespaces.append(.init(.ipc, path: "/etc/passwd"))
        }
        #expect(result.errors.contains("/etc/passwd is not a ipc namespace"), "\(result.errors)")
        #expect(bundle.leftNothing)
    }

    @Test func hostAndDomainNamesAreTheContainersOwn() throws {
        defer { bundle.remove() }
        let before = try readText("/proc/sys/kernel/hostname")
        let result = try bundle.run("cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname") {
            $0.hostname = "inside"
            $0.domainname = "example.org"
        }
        #expect(result.lines == ["inside", "example.org"], "\(result.errors)")
        let refused = try bundle.run("true") {
            $0.hostname = "inside"
            $0.linux.namespaces.removeAll { $0.kind == .uts }
        }
        #expect(refused.errors.contains("need a uts namespace"))
        #expect(try readText("/proc/sys/kernel/hostname") == before)
    }

    @Test func kernelParametersAreSetInTheContainersNamespaces() throws {
        defer { bundle.remove() }
        let result = try bundle.run(
            "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax /proc/sys/fs/mqueue/msg_max"
        ) {
            $0.linux.sysctl = ["net.ipv4.ip_forward": "1", "kernel.shmmax": "65536", "fs/mqueue/msg_max": "100"]
        }
        #expect(result.lines == ["1", "65536", "100"], "\(result.errors)")
    }

    @Test func anInterfaceMovesInWithItsAddresses() throws {
        defer { bundle.remove() }
        let name = "skft\(UInt32.random(in: 0...999_999))"
        var socket = try NetlinkSocket()
        let own = try open("/proc/self/ns/net", O_RDONLY)
        try socket.transact([
            RouteMessage.makeVeth(
                .init(
                    name: name, bridge: 0, peerName: name + "p", peerAddress: nil, peerNamespace: own.raw, mtu: 1400))
        ])
        // Its other end goes with it, also once it has gone with the container.
        defer { try? socket.transact([RouteMessage.deleteLink(name + "p")]) }
        let index = try #require(try socket.link(named: name)).index
        let address = try #require(IPv4Prefix("198.51.100.7/24"))
        try socket.transact([RouteMessage.addAddress(address, to: index), RouteMessage.setUp(index)])
        let result = try bundle.run("ip addr show dev inside0") { $0.linux.networkDevices = [name: "inside0"] }
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.output.contains("198.51.100.7/24") && result.output.contains("mtu 1400"))
        #expect(result.output.contains(",UP") || result.output.contains("<UP") || result.output.contains("UP>"))
        let missing = try bundle.run("true") { $0.linux.networkDevices = ["nosuch0": ""] }
        #expect(missing.errors.contains("linux.netDevices: nosuch0"))
    }
}
