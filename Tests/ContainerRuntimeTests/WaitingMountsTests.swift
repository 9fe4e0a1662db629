import OCI
import Testing

@testable import ContainerRuntime

/// Which mounts are made while the network namespace and the groups are still to come.
struct WaitingMountsTests {
    private typealias Mount = RuntimeSpec.Mount

    private static let sysfs = Mount(destination: "/sys", type: "sysfs", source: "sysfs")
    private static let cgroup = Mount(destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup")
    private static let shm = Mount(destination: "/dev/shm", type: "tmpfs", source: "shm")

    private func waiting(_ mounts: [Mount], network: Bool = true, groups: Bool = true) throws -> WaitingMounts {
        WaitingMounts(
            try mounts.map { try PlannedMount($0) }, network: network, groups: groups,
            rootfs: .directory("/bundle/rootfs"))
    }

    /// The turns of the mounts, up to the first that the others are waited for.
    private func turns(
        _ mounts: [Mount], network: Bool = true, groups: Bool = true, links: [String] = []
    ) throws -> [WaitingMounts.Turn] {
        var waiting = try waiting(mounts, network: network, groups: groups)
        var turns: [WaitingMounts.Turn] = []
        for number in mounts.indices where turns.last != .behindThem {
            turns.append(
                waiting.turn(of: number, isPlain: { !links.contains($0) }, isPlainSource: { !links.contains($0) }))
        }
        return turns
    }

    @Test func whatShowsNeitherIsMadeMeanwhile() throws {
        let mounts = [Mount(destination: "/proc", type: "proc"), Self.sysfs, Self.cgroup, Self.shm]
        #expect(try turns(mounts) == [.now, .waits, .waits, .now])
        var waiting = try waiting(mounts)
        for number in mounts.indices {
            _ = waiting.turn(of: number, isPlain: { _ in true }, isPlainSource: { _ in true })
        }
        #expect(waiting.end() == [1, 2] && waiting.isOver)
    }

    @Test func onlyWhatIsToComeIsWaitedFor() throws {
        let mounts = [Self.sysfs, Self.cgroup, Self.shm]
        #expect(try turns(mounts, network: false) == [.now, .waits, .now])
        // What lies below a mount that waits waits as well, or is made behind it.
        #expect(try turns(mounts, groups: false) == [.waits, .behindThem])
        #expect(try turns(mounts, network: false, groups: false) == [.now, .now, .now])
    }

    @Test(arguments: ["/sys", "/sys/kernel", "/", "//sys/./kernel", "/dev/../sys/kernel", "/sys/"])
    func aMountNearThoseThatWaitIsMadeBehindThem(place: String) throws {
        #expect(try turns([Self.sysfs, Mount(destination: place, type: "tmpfs")]) == [.waits, .behindThem])
    }

    @Test(arguments: ["/system", "/dev/sys", "/.sys", "/sy"])
    func aLikeNameIsNotNear(place: String) throws {
        #expect(try turns([Self.sysfs, Mount(destination: place, type: "tmpfs")]) == [.waits, .now])
    }

    @Test func aLinkOnTheWayKeepsTheOrder() throws {
        #expect(try turns([Self.sysfs, Self.shm], links: ["/dev/shm"]) == [.waits, .behindThem])
        #expect(try turns([Self.sysfs, Self.shm], links: ["/sys"]) == [.behindThem])
        // Ahead of all that wait a link matters to nobody.
        #expect(try turns([Self.shm, Self.sysfs], links: ["/dev/shm"]) == [.now, .waits])
    }

    @Test func whatIsTakenFromTheContainersOwnFilesIsMadeInOrder() throws {
        let own = Mount(destination: "/there", type: "bind", source: "/bundle/rootfs/etc", options: ["bind"])
        let hosts = Mount(destination: "/there", type: "bind", source: "/bundle/hosts", options: ["bind"])
        #expect(try turns([Self.sysfs, own]) == [.waits, .behindThem])
        #expect(try turns([Self.sysfs, hosts]) == [.waits, .now])
    }

    @Test func aLinkToASourceKeepsTheOrder() throws {
        let hosts = Mount(destination: "/there", type: "bind", source: "/hosts", options: ["bind"])
        #expect(try turns([Self.sysfs, hosts], links: ["/hosts"]) == [.waits, .behindThem])
        // By another name it may be the container's own.
        #expect(try turns([Self.sysfs, hosts], links: ["/bundle/rootfs"]) == [.waits, .behindThem])
        // It may lead to the process's own entry of procfs.
        #expect(try turns([hosts], links: ["/hosts"]) == [.behindThem])
        #expect(try turns([hosts], network: false, links: ["/hosts"]) == [.now])
    }

    @Test(arguments: ["nfsd", "rpc_pipefs", "nfs", "9p", "overlay"])
    func whatMayBeOfTheNetworkIsMountedInIt(type: String) throws {
        let mount = Mount(destination: "/there", type: type, source: "source")
        #expect(try turns([mount]) == [.behindThem])
        #expect(try turns([mount], network: false) == [.now])
    }

    @Test func theNetworkNamespaceIsNotBoundAheadOfTheContainersOwn() throws {
        let bind = Mount(destination: "/there", type: "bind", source: "/proc/self/ns/net", options: ["bind"])
        #expect(try turns([bind]) == [.behindThem])
    }

    @Test func whatTheGroupsCountIsMadeInThem() throws {
        let copy = Mount(destination: "/etc", type: "tmpfs", options: ["tmpcopyup"])
        #expect(try turns([copy]) == [.behindThem])
        #expect(try turns([copy], groups: false) == [.now])
    }

    @Test func devicesAreMadeMeanwhileWhereNothingThatWaitsIsNear() throws {
        func allows(_ mounts: [Mount], device: String = "/dev/null", links: [String] = []) throws -> Bool {
            var waiting = try waiting(mounts)
            for number in mounts.indices {
                _ = waiting.turn(of: number, isPlain: { _ in true }, isPlainSource: { _ in true })
            }
            return waiting.allowsDevices([.init(type: "c", path: device, major: 1, minor: 3)]) { !links.contains($0) }
        }
        #expect(try allows([Self.sysfs]))
        #expect(try !allows([Self.sysfs], device: "/sys/null"))
        #expect(try !allows([Self.sysfs], links: ["/dev"]))
        #expect(try !allows([Mount(destination: "/dev/sys", type: "sysfs")]))
        #expect(try allows([], device: "/sys/null", links: ["/dev"]))
    }
}

/// Whether a network namespace is begun by the document's text alone.
struct EarlyNetworkTests {
    @Test(
        arguments: [
            #"{"linux":{"namespaces":[{"type":"pid"},{"type":"network"}]}}"#,
            #"{"process":{"user": {"uid":0}},"linux":{"namespaces":[{ "type" : "network" }]}}"#,
            #"{"linux":{"namespaces":[{"type":"network"},{"type":"ipc","path":"/p"}]}}"#,
        ])
    func oneOfItsOwnIsBegun(text: String) { #expect(ContainerLaunch.seemsToOwnNetwork(Array(text.utf8))) }

    @Test(
        arguments: [
            "", "{}", #"{"linux":{"namespaces":[{"type":"pid"}]}}"#,
            #"{"linux":{"namespaces":[{"type":"network","path":"/run/netns/a"}]}}"#,
            #"{"linux":{"namespaces":[{"path":"/run/netns/a","type":"network"}]}}"#,
            #"{"linux":{"namespaces":[{"type":"network"},{"type":"user"}]}}"#,
            #"{"process":{"user":{}},"linux":{"namespaces":[{"type":"network"},{"type": "user" }]}}"#, #""network"#,
            #""network""user""#,
        ])
    func oneThatIsNotIsNot(text: String) { #expect(!ContainerLaunch.seemsToOwnNetwork(Array(text.utf8))) }
}
