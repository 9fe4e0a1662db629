import CLinux
import JSON
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Containers that tell a service manager when they are ready; sd_notify(3).
@Suite(.serialized, .enabled(if: Bundle.canRun, "namespaces and mounts need root"))
struct ReadinessTests {
    private let bundle: Bundle
    private let manager: Manager
    /// Written to by the program.
    private let begun: SharedDescriptor

    init() throws {
        bundle = try Bundle()
        manager = try Manager(bundle)
        try makeDirectories(bundle.path + "/rootfs" + manager.path)
        let fifo = bundle.path + "/rootfs/tmp/begun"
        try check("mkfifo") { mkfifo(fifo, 0o666) }
        begun = SharedDescriptor(try open(fifo, O_RDWR))
        try setMode(begun.raw, 0o666)
    }

    /// What systemd is to a service: a socket that is told.
    private struct Manager {
        let path: String
        let socket: SharedDescriptor

        init(_ bundle: Bundle) throws {
            path = bundle.path + "/manager"
            let directory = try open(bundle.path, O_RDONLY | O_DIRECTORY)
            socket = SharedDescriptor(try receiveDatagrams(in: directory.raw, "manager", mode: 0o600))
        }

        /// The next message, and how many descriptors came with it; those are closed.
        func next() throws -> (text: String, descriptors: Int)? {
            guard try poll([(socket.raw, Int16(POLLIN))], timeout: 120_000)[0] != 0,
                let message = try receiveMessage(socket.raw, limit: 4096)
            else { return nil }
            return (String(decoding: message.bytes, as: UTF8.self), message.descriptors.count)
        }

        var isSilent: Bool { get throws { try poll([(socket.raw, Int16(POLLIN))], timeout: 0)[0] == 0 } }
    }

    /// Says where it can be told of, lets the test know that it runs, and stays.
    private static let script = """
        echo $NOTIFY_SOCKET; test -S $NOTIFY_SOCKET && test -w $NOTIFY_SOCKET && echo usable
        touch ${NOTIFY_SOCKET%/*}/more 2>&1; echo begun > /tmp/begun; sleep 1000
        """

    /// Starts the program under the manager, its output in the bundle.
    private func spawn(_ arguments: String...) throws -> pid_t { try spawn(arguments) }

    private func spawn(_ arguments: [String]) throws -> pid_t {
        let output = try open(bundle.path + "/said", O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        return try Spawn(
            Bundle.program(), arguments: ["skiff-runtime", "--root", bundle.path + "/state"] + arguments,
            environment: ["NOTIFY_SOCKET=" + manager.path], descriptors: [(output.raw, 1), (output.raw, 2)]
        ).start()
    }

    /// Returns once the program runs.
    private func awaitBegun() throws {
        try #require(try poll([(begun.raw, Int16(POLLIN))], timeout: 120_000)[0] != 0, "the program has not begun")
    }

    /// What the program and the runtime wrote.
    private func said() throws -> [String] {
        try readText(bundle.path + "/said").split(separator: "\n").map(String.init)
    }

    /// Sends from where the program is: through its own root.
    private func say(_ text: String, descriptors: [Int32] = []) throws {
        let pid = try #require(bundle.document()["pid"]?.intValue)
        let root = try open("/proc/\(pid)/root\(manager.path)", O_PATH | O_DIRECTORY)
        let socket = try sendDatagrams(toLocal: root.procPath + "/notify", isAbstract: false, timeout: 120_000)
        try sendMessage(socket.raw, Array(text.utf8), descriptors: descriptors)
    }

    @Test(arguments: [true, false]) func oneWhoIsDetachedIsReadyWhenItSaysSo(created: Bool) throws {
        defer { bundle.remove() }
        try bundle.write(command: ["sh", "-c", Self.script])
        let runtime: pid_t
        if created {
            #expect(try PidFD(spawn("create", "--bundle", bundle.path, bundle.id)).wait() == .exited(0))
            runtime = try spawn("start", bundle.id)
        } else {
            runtime = try spawn("run", "--detach", "--bundle", bundle.path, bundle.id)
        }
        let process = try PidFD(runtime)
        try awaitBegun()
        let pid = try #require(bundle.document()["pid"]?.intValue)
        // Of others' numbers, descriptors and words nothing gets through.
        let ends = try Pipe().release()
        let barrier = OwnedDescriptor(owning: ends.read)
        do {
            let end = OwnedDescriptor(owning: ends.write)
            try say("BARRIER=1", descriptors: [end.raw])
        }
        try say("STATUS=READY=1\nMAINPID=1\nFDSTORE=1\nREADY=0")
        try say(String(repeating: "x", count: 5000))
        #expect(try poll([(barrier.raw, 0)], timeout: 120_000)[0] != 0, "a barrier is answered")
        #expect(try process.reap() == nil && manager.isSilent)
        try say("STATUS=up\nREADY=1\n")
        #expect(try manager.next()?.text == "READY=1")
        #expect(try manager.next()?.text == "MAINPID=\(pid)")
        #expect(try process.reap() == nil, "it waits until that is read")
        let last = try #require(try manager.next())
        #expect(last == ("BARRIER=1", 1))
        #expect(try process.wait() == .exited(0))
        #expect(try bundle.state() == "running")
        #expect(try bundle.runtime("checkpoint", bundle.id).errors.contains("it was made with NOTIFY_SOCKET"))
        #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
        #expect(bundle.leftNothing)
    }

    @Test func oneWhoIsWaitedForIsReadyOnce() throws {
        defer { bundle.remove() }
        try bundle.write(command: ["sh", "-c", Self.script])
        let process = try PidFD(spawn("run", "--bundle", bundle.path, bundle.id))
        try awaitBegun()
        try say("READY=1")
        #expect(try manager.next()?.text == "READY=1")
        let ends = try Pipe().release()
        let barrier = OwnedDescriptor(owning: ends.read)
        do {
            let end = OwnedDescriptor(owning: ends.write)
            try say("READY=1\nBARRIER=1", descriptors: [end.raw])
        }
        #expect(try poll([(barrier.raw, 0)], timeout: 120_000)[0] != 0)
        #expect(try manager.isSilent, "its main process is this one, and the second word says nothing new")
        // It is still there for signals.
        try process.send(SIGTERM)
        try process.send(SIGKILL)
        _ = try process.wait()
        let output = try said()
        #expect(output.prefix(2) == ["\(manager.path)/notify", "usable"], "\(output)")
        #expect(output.last?.contains("Read-only file system") == true, "\(output)")
    }

    /// The runtime finds its word and its end at the same moment.
    @Test(arguments: [[], ["--detach"]]) func oneWhoEndsAsSoonAsItIsReadyIsHeard(flags: [String]) throws {
        defer { bundle.remove() }
        try bundle.write(command: ["sh", "-c", Self.script])
        let process = try PidFD(spawn(["run"] + flags + ["--bundle", bundle.path, bundle.id]))
        try awaitBegun()
        try process.send(SIGSTOP)
        try say("READY=1")
        let pid = try #require(bundle.document()["pid"]?.intValue.flatMap { pid_t(exactly: $0) })
        let container = try PidFD(pid)
        try container.send(SIGKILL)
        #expect(try poll([(container.raw, Int16(POLLIN))], timeout: 120_000)[0] != 0)
        try process.send(SIGCONT)
        #expect(try manager.next()?.text == "READY=1")
        if !flags.isEmpty {
            #expect(try manager.next()?.text == "MAINPID=\(pid)")
            #expect(try manager.next()?.descriptors == 1)
        }
        #expect(try process.wait() == .exited(flags.isEmpty ? 137 : 0))
    }

    @Test func oneWhoEndsBeforeItIsReadyIsNotWaitedFor() throws {
        defer { bundle.remove() }
        try bundle.write(command: ["sh", "-c", "echo begun > /tmp/begun"])
        let process = try PidFD(spawn("run", "--detach", "--bundle", bundle.path, bundle.id))
        try awaitBegun()
        #expect(try process.wait() == .exited(0))
        #expect(try manager.isSilent)
    }

    /// The folder is root's, and the container's root is not.
    @Test func theRootOfAUserNamespaceReachesItsSocket() throws {
        defer { bundle.remove() }
        try bundle.write(command: ["sh", "-c", Self.script]) { spec in
            spec.linux.namespaces.append(.init(.user))
            spec.linux.uidMappings = [.init(container: 0, host: 100_000, size: 65536)]
            spec.linux.gidMappings = spec.linux.uidMappings
        }
        let process = try PidFD(spawn("run", "--bundle", bundle.path, bundle.id))
        try awaitBegun()
        try process.send(SIGKILL)
        _ = try process.wait()
        let output = try said()
        #expect(output.prefix(2) == ["\(manager.path)/notify", "usable"], "\(output)")
    }

    /// What the image has at the socket's path does not lead out of it.
    @Test func theSocketIsNotBoundBehindALinkOfTheImage() throws {
        defer { bundle.remove() }
        try bundle.makeCanary()
        try unlink(bundle.path + "/rootfs" + manager.path, directory: true)
        try makeSymlink(bundle.path + "/rootfs" + manager.path, to: bundle.canary)
        try bundle.write(command: ["sh", "-c", "cat /proc/self/mountinfo; ls $NOTIFY_SOCKET"])
        let process = try PidFD(spawn("run", "--bundle", bundle.path, bundle.id))
        #expect(try process.wait() == .exited(0))
        let output = try said().joined(separator: "\n")
        // Inside, the link leads to a path of the container's own.
        #expect(output.contains(" \(bundle.canary) ro,nosuid,nodev,noexec"), "\(output)")
        #expect(output.contains("\(manager.path)/notify"), "\(output)")
        try bundle.expectCanaryUntouched()
    }

    @Test func withoutAManagerThereIsNone() throws {
        defer { bundle.remove() }
        let result = try bundle.run("echo ${NOTIFY_SOCKET-none}; busybox find / -xdev -name notify")
        #expect(result.output == "none\n", "\(result.output)\(result.errors)")
    }
}

/// What is a manager's address, and what a word of readiness, without a container.
struct ReadinessDecisionTests {
    @Test(
        arguments: [
            ("/run/systemd/notify", "/run/systemd/notify"), ("/run//a/../notify", "/run/notify"), ("@x", "/run/notify"),
            ("/", nil), ("//.", nil), ("", nil), ("@", nil), ("run/notify", nil), ("vsock:2:1", nil), ("/a\nb", nil),
        ] as [(String, String?)])
    func onlyLocalSocketsAreManagers(variable: String, folder: String?) {
        #expect(ServiceManager(variable)?.folder == folder)
    }

    @Test(arguments: [
        ("READY=1", true), ("READY=1\n", true), ("STATUS=x\nREADY=1\nMAINPID=1", true), ("READY=10", false),
        ("XREADY=1", false), ("READY=0", false), ("STATUS=READY=1", false), ("", false), ("\n\n", false),
    ])
    func readyIsALineOfItsOwn(message: String, ready: Bool) {
        #expect(ContainerReadiness.saysReady(Array(message.utf8)) == ready)
    }

    @Test func itsAddressTakesThePlaceOfTheDocuments() {
        var spec = RuntimeSpec(process: .init(arguments: ["x"], environment: ["NOTIFY_SOCKET=/old", "A=b"]))
        ServiceManager("/run/s")?.introduce(to: &spec, from: "/state/notify")
        #expect(spec.process?.environment == ["A=b", "NOTIFY_SOCKET=/run/s/notify"])
        #expect(spec.mounts.last?.destination == "/run/s" && spec.mounts.last?.source == "/state/notify")
    }
}
