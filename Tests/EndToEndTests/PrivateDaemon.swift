import CLinux
import Linux
import Synchronization
import Testing

/// A `skiffd` of one test's own: state folder, socket, bridge and cgroups that nobody else has.
///
/// ``with(_:)`` starts it, hands it over and removes whatever is left in every case; what a test must not leave behind is
/// counted then.
struct PrivateDaemon: Sendable {
    let home: String
    /// The data root; inside `home` unless the test wants it elsewhere.
    let root: String
    let number: Int
    /// The network namespace that is the daemon's host; nil is the machine's.
    let network: SharedDescriptor?
    /// Whether systemd makes the containers' groups.
    var usesSystemd: Bool
    private let process: Mutex<pid_t>.Holder

    var socket: String { home + "/skiff.sock" }
    var host: String { "unix://" + socket }
    /// What holds the containers' groups.
    var cgroup: String { usesSystemd ? "/" + slice : "/skiff-test-\(getpid())-\(number)" }
    /// Without a dash, so that it lies in no other.
    private var slice: String { "skifftest\(getpid())x\(number).slice" }
    /// A container's group, from the hierarchy's root.
    func group(of id: String) -> String { cgroup + "/" + (usesSystemd ? "skiff-\(id).scope" : id) }
    /// A /24 of this daemon's own for its default bridge.
    var bridgeAddress: String { "10.\(200 + number / 250).\(number % 250).1/24" }

    /// Far apart for runs side by side on one machine, which shall not take one another's addresses.
    private static let counter = Atomic<Int>(Int(getpid()) * 151 % 13_500)

    /// Runs a test with a daemon and Debian's busybox as the image `busybox`.
    ///
    /// - Parameters:
    ///   - ownNetwork: the daemon's host is a network namespace of its own, in which nobody else has links or rules.
    ///   - configuration: its `daemon.json`.
    ///   - systemd: leave the choice of the cgroup driver to the daemon, on a host where that is systemd.
    static func with(
        _ flags: [String] = [], image: Bool = true, ownNetwork: Bool = false, root: String? = nil,
        configuration: String = "{}", systemd: Bool = false, _ body: (PrivateDaemon) async throws -> Void
    ) async throws {
        let number = counter.wrappingAdd(1, ordering: .relaxed).newValue
        let network = ownNetwork ? SharedDescriptor(try NetworkNamespace.make().descriptor.duplicate()) : nil
        let daemon = PrivateDaemon(number: number, network: network, root: root, usesSystemd: systemd)
        try makeDirectories(daemon.home, mode: 0o700)
        try writeFile(daemon.home + "/daemon.json", Array(configuration.utf8))
        do {
            try await daemon.start(flags)
            if image { try await daemon.importBusybox() }
            try await body(daemon)
        } catch {
            Issue.record("daemon's log:\n\(daemon.log(lines: 40))")
            await daemon.cleanUp()
            await daemon.removeSlice()
            throw error
        }
        await daemon.cleanUp()
        await daemon.expectNothingLeft()
        await daemon.removeSlice()
    }

    private init(number: Int, network: SharedDescriptor?, root: String?, usesSystemd: Bool) {
        self.number = number
        self.usesSystemd = usesSystemd
        self.network = network
        home = "/tmp/skiff-e2e.\(getpid()).\(number)"
        self.root = root ?? home + "/data"
        process = Mutex<pid_t>.Holder(0)
    }

    // MARK: The daemon's own life

    func start(_ flags: [String] = []) async throws {
        let file = try open(home + "/skiffd.log", O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        let spawn = Spawn(
            Program.builds + "/skiffd",
            arguments: [
                "skiffd", "-H", host, "--data-root", root, "--exec-root", home + "/run", "--pidfile",
                home + "/skiffd.pid", "--bip", bridgeAddress, "--config-file", home + "/daemon.json",
                "--cgroup-parent", usesSystemd ? slice : cgroup,
            ] + (usesSystemd ? [] : ["--exec-opt", "native.cgroupdriver=cgroupfs"]) + flags,
            environment: ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"],
            descriptors: [(file.raw, 1), (file.raw, 2)])
        if !exists(home + "/daemon.json") { try writeFile(home + "/daemon.json", Array("{}".utf8)) }
        let pid = try spawn.start(in: network)
        process.value.withLock { $0 = pid }
        try await eventually("skiffd to answer on \(socket)") {
            if try reapIfEnded(pid) {
                throw NeverHappened(what: "skiffd to start; it said: \(log(lines: 5))")
            }
            return try await skiff("version").code == 0
        }
    }

    private func reapIfEnded(_ pid: pid_t) throws -> Bool {
        let descriptor = try PidFD(pid)
        if try descriptor.reap() != nil {
            process.value.withLock { $0 = 0 }
            return true
        }
        return false
    }

    /// Ends the daemon and waits for it; its containers live on.
    func stop(_ signal: Int32 = SIGTERM) async throws {
        let pid = process.value.withLock { pid in
            defer { pid = 0 }
            return pid
        }
        if pid == 0 { return }
        try await onThread {
            let descriptor = try PidFD(pid)
            try descriptor.send(signal)
            _ = try descriptor.wait()
        }
    }

    var pid: pid_t { process.value.withLock { $0 } }

    func log(lines: Int) -> String {
        let text = (try? readText(home + "/skiffd.log")) ?? ""
        return text.split(separator: "\n").suffix(lines).joined(separator: "\n")
    }

    // MARK: Clients

    /// Runs Skiff's own command line.
    func skiff(_ arguments: String..., input: String = "") async throws -> Finished {
        try await run("skiff", arguments, input: input)
    }

    /// Runs Skiff's own command line with words that were put together.
    func skiff(_ arguments: [String]) async throws -> Finished { try await run("skiff", arguments, input: "") }

    /// Runs Skiff's command line and expects success.
    @discardableResult
    func must(_ arguments: String..., input: String = "", at location: SourceLocation = #_sourceLocation) async throws
        -> Finished
    {
        let finished = try await run("skiff", arguments, input: input)
        try #require(
            finished.code == 0, "skiff \(arguments.joined(separator: " ")): code \(finished.code): \(finished.errors)",
            sourceLocation: location)
        return finished
    }

    private func run(_ program: String, _ arguments: [String], input: String) async throws -> Finished {
        try await Program.run(
            Program.builds + "/" + program, arguments,
            environment: ["SKIFF_HOST=\(host)", "DOCKER_CONFIG=\(home)/docker"], input: Array(input.utf8))
    }

    /// Runs Docker's command line against this daemon.
    func docker(_ arguments: String..., input: String = "") async throws -> Finished {
        try await Program.run(
            Docker.path ?? "/usr/bin/docker", arguments,
            environment: ["DOCKER_HOST=\(host)", "DOCKER_BUILDKIT=0", "DOCKER_CONFIG=\(home)/docker"],
            input: Array(input.utf8))
    }

    // MARK: Images

    /// A root file system of busybox and little else, as a tar.
    static func busyboxArchive(in directory: String) async throws -> String {
        let busybox = try #require(Program.find("busybox"))
        let archive = directory + "/busybox.tar"
        if exists(archive) { return archive }
        let root = directory + "/busybox-root"
        for path in ["/bin", "/etc", "/tmp", "/root"] { try makeDirectories(root + path) }
        try writeFile(root + "/bin/busybox", readFile(busybox), mode: 0o755)
        for applet in try await Program.run(busybox, ["--list"]).lines where applet != "busybox" {
            try makeSymlink(root + "/bin/" + applet, to: "busybox")
        }
        try writeFile(
            root + "/etc/passwd",
            Array(
                "root:x:0:0:root:/root:/bin/sh\nwww:x:33:33:www:/www:/bin/false\nnobody:x:65534:65534::/:/bin/false\n"
                    .utf8))
        try writeFile(root + "/etc/group", Array("root:x:0:\nwww:x:33:\nextra:x:44:www\nnobody:x:65534:\n".utf8))
        let tar = try #require(Program.find("tar"))
        let made = try await Program.run(tar, ["-C", root, "-cf", archive, "."])
        try #require(made.code == 0, "tar: \(made.errors)")
        try removeTree(root)
        return archive
    }

    func importBusybox() async throws {
        let archive = try await Self.busyboxArchive(in: home)
        try await must("import", "--change", "CMD [\"sh\"]", archive, "busybox")
    }

    // MARK: The end

    func cleanUp() async {
        if pid == 0 { try? await start() }
        if let containers = try? await skiff("ps", "-aq"), !containers.lines.isEmpty {
            for id in containers.lines { _ = try? await skiff("rm", "-f", "-v", id) }
        }
        if let networks = try? await skiff("network", "ls", "-q", "--filter", "type=custom") {
            for id in networks.lines { _ = try? await skiff("network", "rm", id) }
        }
        try? await stop()
    }

    /// Expects nothing of this daemon to be there any more, and removes its folder.
    func expectNothingLeft() async {
        // A link goes with its namespace and a group with its last process, for which the kernel takes its time.
        try? await eventually("nothing to be left", within: 60) { leftovers().isEmpty }
        let left = leftovers()
        #expect(left.isEmpty, "left behind: \(left)")
        for group in left where group.hasPrefix("group ") { try? unlink(String(group.dropFirst(6)), directory: true) }
        #expect(throws: Never.self) { try removeTree(home) }
    }

    /// Links, rules, mounts, cgroups and processes of this daemon.
    private func leftovers() -> [String] {
        let network = HostNetworkNames(root: root)
        var found = ((try? network.links()) ?? ["no list of links"]).map { "link \($0)" }
        if let rules = try? network.rules() { found.append("rules \(rules)") }
        let mounts = ((try? readText("/proc/self/mountinfo")) ?? "").split(separator: "\n").filter { $0.contains(home) }
        found += mounts.map { "mount \($0)" }
        // On v2 there is one hierarchy, and its root is here.
        for hierarchy in ["."] + ((try? onlyNames("/sys/fs/cgroup")) ?? []) {
            let parent = "/sys/fs/cgroup/\(hierarchy)\(cgroup)"
            found += ((try? onlyNames(parent)) ?? []).map { "\(parent)/\($0)" }.filter(isDirectory).map {
                "group " + $0
            }
            if exists(parent), !usesSystemd { found.append("group " + parent) }
        }
        let processes = ((try? onlyNames("/proc")) ?? []).filter { name in
            guard name.allSatisfy(\.isNumber) else { return false }
            return ((try? readText("/proc/\(name)/cmdline")) ?? "").contains(home)
        }
        return found + processes.map { "process \($0)" }
    }

    /// A slice that was needed once stays until somebody stops it.
    private func removeSlice() async {
        if usesSystemd { _ = try? await Program.run("/bin/systemctl", ["stop", slice]) }
    }

    private func onlyNames(_ path: String) throws -> [String] {
        let directory = try open(path, O_RDONLY | O_DIRECTORY)
        return try readDirectory(directory.raw).map(\.name.text)
    }

    private func isDirectory(_ path: String) -> Bool { (try? status(path).isDirectory) ?? false }
}

extension Mutex where Value == pid_t {
    /// A mutex behind a reference, for values that are copied.
    final class Holder: Sendable {
        let value: Mutex<pid_t>
        init(_ value: pid_t) { self.value = Mutex(value) }
    }
}

/// Docker's own client, where there is one.
enum Docker {
    static let path = Program.find("docker")
}

/// Whether this process may do what an engine does.
let isRoot = geteuid() == 0
