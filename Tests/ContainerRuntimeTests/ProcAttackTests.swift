import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Attacks on what the runtime and programs trust of `/proc`; each is named by its advisory.
@Suite(.serialized, .enabled(if: Bundle.canRun, "namespaces and mounts need root"))
struct ProcAttackTests {
    private let bundle: Bundle

    init() throws {
        bundle = try Bundle()
        try bundle.makeCanary()
    }

    /// CVE-2019-19921, CVE-2023-27561: an image whose `/proc` is a link to what it has made up.
    @Test(arguments: ["false", "/false", "../false", "bin/../false"]) func aLinkInThePlaceOfProcIsRefused(
        target: String
    )
        throws
    {
        defer { bundle.remove() }
        try makeDirectories(bundle.path + "/rootfs/false/sys")
        try unlink(bundle.path + "/rootfs/proc", directory: true)
        try makeSymlink(bundle.path + "/rootfs/proc", to: target)
        let result = try bundle.run("echo ran")
        #expect(result.code != 0 && !result.output.contains("ran"))
        #expect(result.errors.contains("/proc, which must be mounted on ordinary directory"), "\(result.errors)")
    }

    /// CVE-2019-19921: the same by a container that shares the root file system, while this one is made.
    @Test func whatIsMaskedIsThatOfTheRealProc() throws {
        defer { bundle.remove() }
        try makeDirectories(bundle.path + "/rootfs/false")
        try writeFile(bundle.path + "/rootfs/false/keys", [])
        try makeSymlink(bundle.path + "/rootfs/link", to: "/false")
        var started = 0
        try Exchange.of(bundle.path + "/rootfs/proc", bundle.path + "/rootfs/link") {
            for _ in 0..<Bundle.rounds {
                // Wherever it is by now: read through whichever name has it.
                let result = try bundle.run("cat /proc/self/mountinfo 2>/dev/null || cat /link/self/mountinfo") {
                    $0.linux.maskedPaths = ["/proc/keys"]
                    $0.linux.readonlyPaths = []
                }
                if result.code != 0 { continue }
                started += 1
                let proc = result.mounts.filter { $0.contains("proc") && $0[3] == "/" }
                #expect(proc.count == 1, "\(result.output)")
                let mount = try #require(proc.first)
                #expect(!mount[4].hasPrefix("/false"), "\(result.output)")
                // The second field of a mount is the one it is on; places may have changed between two lines.
                #expect(
                    result.mounts.contains { $0[1] == mount[0] && $0[4].hasSuffix("/keys") },
                    "not masked: \(result.output)")
            }
        }
        #expect(started > 0)
    }

    /// CVE-2019-16884, CVE-2023-28642, CVE-2015-3631: a volume or tmpfs over `/proc` or a part of it.
    @Test(arguments: [
        "/proc", "/proc/", "//proc/.", "/proc/sys", "/proc/self/attr", "/proc/self/task", "/shortcut/sys/net",
        "/proc/thread-self/attr", "/proc/sys/net/ipv4/ip_default_ttl",
    ]) func nothingTakesThePlaceOfProc(destination: String) throws {
        defer { bundle.remove() }
        try makeSymlink(bundle.path + "/rootfs/shortcut", to: "/proc")
        let isFile = destination.hasSuffix("ttl")
        var mounts = [
            RuntimeSpec.Mount(
                destination: destination, type: "bind", source: isFile ? bundle.canaryFile : bundle.canary,
                options: ["bind"])
        ]
        if !isFile { mounts.append(RuntimeSpec.Mount(destination: destination, type: "tmpfs", source: "tmpfs")) }
        for mount in mounts {
            let result = try bundle.run("echo ran", mounts: [mount]) {
                // Redirected, it would be written into the canary.
                $0.linux.sysctl = ["net.ipv4.ip_default_ttl": "33"]
            }
            #expect(result.code != 0 && !result.output.contains("ran"), "\(mount)")
            #expect(result.errors.contains("what is not a procfs"), "\(result.errors)")
        }
        try bundle.expectCanaryUntouched()
    }

    /// What only informs may be another's, as lxcfs makes it; and a procfs may be the host's.
    @Test func whatOnlyInformsMayBeReplaced() throws {
        defer { bundle.remove() }
        let result = try bundle.run(
            "cat /proc/uptime",
            mounts: [
                RuntimeSpec.Mount(
                    destination: "/proc/uptime", type: "bind", source: bundle.canaryFile, options: ["bind"])
            ])
        #expect(result.output == "canary", "\(result.errors)")
        let hosts = try bundle.run("cat /proc/version") {
            $0.mounts[0] = RuntimeSpec.Mount(destination: "/proc", type: "bind", source: "/proc", options: ["rbind"])
        }
        #expect(hosts.code == 0, "\(hosts.errors)")
    }

    /// CVE-2025-52881: a part of a procfs, or what looks like one, is not written through.
    @Test func onlyTheRootOfAProcfsIsProven() throws {
        defer { bundle.remove() }
        for (path, isProven) in [
            ("/proc", true), ("/proc/self", false), ("/proc/sys", false), ("/proc/self/attr", false),
            (bundle.canary, false), ("/sys", false),
        ] {
            let directory = try open(path, O_RDONLY | O_DIRECTORY)
            #expect(Procfs.isRoot(directory.raw) == isProven, "\(path)")
        }
    }

    /// CVE-2025-52881: a parameter is not written through a link or a mount that leads elsewhere.
    @Test func aParameterIsWrittenWhereItIsOrNotAtAll() throws {
        defer { bundle.remove() }
        var linux = RuntimeSpec.LinuxSettings()
        linux.namespaces = [.init(.network)]
        linux.sysctl = ["net.ipv4.ip_default_ttl": "33"]
        let parameters = try KernelParameters(linux, joinsNetwork: false)
        let place = bundle.path + "/false/sys/net/ipv4"
        try makeDirectories(place)
        try makeSymlink(place + "/ip_default_ttl", to: bundle.canaryFile)
        let madeUp = try open(bundle.path + "/false", O_RDONLY | O_DIRECTORY)
        #expect(throws: RuntimeFailure.self) { try parameters.write(madeUp.raw) }
        try unlink(place + "/ip_default_ttl")
        try unlink(place, directory: true)
        try makeSymlink(place, to: bundle.canary)
        #expect(throws: RuntimeFailure.self) { try parameters.write(madeUp.raw) }
        #expect(throws: RuntimeFailure.self, "there is no procfs at all") { try parameters.write(nil) }
        try bundle.expectCanaryUntouched()
    }

    /// CVE-2022-0811: neither a name nor a value is more than one of its kind.
    @Test(arguments: [
        ("a=1+kernel.core_pattern", "x"), ("net.ipv4.ip_default_ttl\nkernel.core_pattern", "x"),
        ("net.ipv4.ip_default_ttl", "64+kernel.core_pattern=|/bin/false"), ("net/../kernel/core_pattern", "x"),
        ("net...kernel.core_pattern", "x"), ("fs.mqueue./../kernel/core_pattern", "x"), ("kernel.core_pattern", "x"),
        ("kernel.shmmax+kernel.core_pattern", "1"), ("/kernel/core_pattern", "x"), ("net.", "x"), ("", "x"),
    ]) func aParameterIsNotSmuggled(name: String, value: String) throws {
        defer { bundle.remove() }
        let before = try readText("/proc/sys/kernel/core_pattern")
        let result = try bundle.run("echo ran") { $0.linux.sysctl = [name: value] }
        #expect(result.code != 0 && !result.output.contains("ran"))
        #expect(try readText("/proc/sys/kernel/core_pattern") == before)
        #expect(bundle.leftNothing)
    }

    /// CVE-2022-0532: the host's namespace by its path is the host's all the same.
    @Test func parametersAndNamesOfTheHostsNamespacesAreRefused() throws {
        defer { bundle.remove() }
        // What is set already, should it be set.
        let now = try readText("/proc/sys/net/ipv4/ip_default_ttl").trimmedLine
        let network = try bundle.run("echo ran") { spec in
            spec.linux.namespaces.removeAll { $0.kind == .network }
            spec.linux.namespaces.append(.init(.network, path: "/proc/self/ns/net"))
            spec.linux.sysctl = ["net.ipv4.ip_default_ttl": now]
        }
        #expect(network.errors.contains("not allowed in the host's network namespace"), "\(network.errors)")
        let none = try bundle.run("echo ran") { spec in
            spec.linux.namespaces.removeAll { $0.kind == .network }
            spec.linux.sysctl = ["net.ipv4.ip_default_ttl": now]
        }
        #expect(none.errors.contains("not allowed in the host's network namespace"), "\(none.errors)")
        let name = try readText("/proc/sys/kernel/hostname").trimmedLine
        let names = try bundle.run("echo ran") { spec in
            spec.linux.namespaces.removeAll { $0.kind == .uts }
            spec.linux.namespaces.append(.init(.uts, path: "/proc/self/ns/uts"))
            spec.hostname = name
        }
        #expect(names.errors.contains("would be the host's"), "\(names.errors)")
        #expect([network, none, names].allSatisfy { $0.code != 0 && !$0.output.contains("ran") })
    }
}
