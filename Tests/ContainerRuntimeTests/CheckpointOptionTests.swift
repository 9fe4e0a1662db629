import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// What CRIU does only where it is told to: each is refused, or comes out otherwise, without its option.
extension CheckpointTests {
    /// A counter that does something more each time around.
    private static func counting(_ before: String, each: String) -> String {
        "\(before); i=0; while true; do i=$((i+1)); \(each); echo $i > /tmp/new; mv /tmp/new /tmp/count; sleep 0.02; done"
    }

    private func addApplets(_ names: String...) throws {
        for name in names { try makeSymlink("\(bundle.path)/rootfs/bin/\(name)", to: "busybox") }
    }

    /// Expects that a dump without the option is refused with words that name it, and that the container goes on.
    private func isRefused(without option: String) throws {
        let refused = try checkpoint()
        #expect(refused.code == 1 && refused.errors.contains(option), "\(refused)")
        _ = try count(beyond: current() ?? 0)
    }

    @Test func fileLocksAreHeldAgain() throws {
        defer { bundle.remove() }
        // Debian's busybox has none.
        for file in ["/usr/bin/flock", "/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"] {
            let place = bundle.path + "/rootfs" + file
            try makeDirectories(String(place[..<(place.lastIndex(of: "/") ?? place.endIndex)]))
            try writeFile(place, readFile(file, limit: 8 << 20), mode: 0o755)
        }
        try start("/usr/bin/flock /tmp/lock sh -c '\(Self.counter)'")
        _ = try count()
        try isRefused(without: "file-locks")
        let dumped = try checkpoint("--file-locks")
        try #require(dumped.code == 0, "\(dumped.errors)")
        let stopped = try #require(current())
        let restored = try restore("--file-locks")
        try #require(restored.code == 0, "\(restored.errors)")
        _ = try count(beyond: stopped)
        #expect(
            try bundle.runtime("exec", bundle.id, "/usr/bin/flock", "-n", "/tmp/lock", "true").code == 1,
            "somebody holds it")
        #expect(try bundle.runtime("exec", bundle.id, "/usr/bin/flock", "-n", "/tmp/free", "true").code == 0)
    }

    @Test func aFileThatLostItsNameIsFoundByALink() throws {
        defer { bundle.remove() }
        try addApplets("ln", "rm")
        try start(Self.counting("exec 5>>/tmp/kept; ln /tmp/kept /tmp/other; rm /tmp/kept", each: "echo $i >&5"))
        _ = try count()
        try isRefused(without: "link-remap")
        let dumped = try checkpoint("--link-remap")
        try #require(dumped.code == 0, "\(dumped.errors)")
        let stopped = try #require(current())
        let restored = try restore()
        try #require(restored.code == 0, "\(restored.errors)")
        let later = try count(beyond: stopped + 1)
        let lines = try readText(bundle.path + "/rootfs/tmp/other").split(separator: "\n")
        #expect(lines.contains("\(later)"), "it writes on into the same file")
    }

    @Test func aSocketKeepsItsPeerOutside() throws {
        defer { bundle.remove() }
        let folder = bundle.path + "/sockets"
        try makeDirectories(folder)
        let receiver = try datagramSocket(), sender = try datagramSocket()
        try name(receiver.raw, folder + "/log", skiff_bind_local)
        try name(sender.raw, folder + "/log", skiff_connect_local)
        try addApplets("mv", "rm")
        let script = Self.counting(":", each: "if [ -e /tmp/tell ]; then rm /tmp/tell; echo told >&3; fi")
        // CRIU sees the peer only where both are in one network namespace, and finds it again by its path.
        try bundle.write(
            command: ["sh", "-c", script],
            mounts: [RuntimeSpec.Mount(destination: folder, type: "bind", source: folder, options: ["bind"])]
        ) { $0.linux.namespaces.removeAll { $0.kind == .network } }
        let made = try bundle.runtime(
            ["run", "--detach", "--preserve-fds", "1", "--bundle", bundle.path, bundle.id], passing: [(sender.raw, 3)])
        try #require(made.code == 0, "\(made.errors)")
        _ = try count()
        try isRefused(without: "ext-unix-sk")
        let dumped = try checkpoint("--ext-unix-sk")
        try #require(dumped.code == 0, "\(dumped.errors)")
        let stopped = try #require(current())
        let restored = try restore("--ext-unix-sk")
        try #require(restored.code == 0, "\(restored.errors)")
        _ = try count(beyond: stopped)
        try writeFile(bundle.path + "/rootfs/tmp/tell", [])
        try #require(try poll([(receiver.raw, Int16(POLLIN))], timeout: 180_000)[0] != 0, "nothing was sent")
        var buffer = [UInt8](repeating: 0, count: 64)
        let length = try buffer.withUnsafeMutableBytes { try Linux.read(receiver.raw, into: $0) }
        #expect(String(decoding: buffer[..<length], as: UTF8.self) == "told\n")
    }

    @Test(arguments: [false, true])
    func whatALaterDumpHoldsGoesFromAnEarlierOne(isDeduplicated: Bool) throws {
        defer { bundle.remove() }
        try start()
        _ = try count(beyond: 3)
        let first = bundle.path + "/first"
        let before = try bundle.runtime("checkpoint", "--pre-dump", "--image-path", first, bundle.id)
        try #require(before.code == 0, "\(before.errors)")
        let held = try blocks(first)
        _ = try count(beyond: (current() ?? 0) + 3)
        let option = isDeduplicated ? ["--auto-dedup"] : []
        let dumped = try bundle.runtime(
            ["checkpoint", "--image-path", images, "--parent-path", "../first"] + option + [bundle.id])
        try #require(dumped.code == 0, "\(dumped.errors)")
        #expect(isDeduplicated == (try blocks(first) < held))
        let stopped = try #require(current())
        let restored = try restore()
        try #require(restored.code == 0, "\(restored.errors)")
        _ = try count(beyond: stopped)
    }

    /// How much of the disk the pages of an image have.
    private func blocks(_ folder: String) throws -> Int {
        try pages(folder).reduce(0) { try $0 + Int(status("\(folder)/\($1)").st_blocks) }
    }

    private func pages(_ folder: String) throws -> [String] {
        let directory = try open(folder, O_RDONLY | O_DIRECTORY)
        return try readDirectory(directory.raw).map(\.name.text).filter { $0.hasPrefix("pages-") }
    }

    // MARK: Memory that goes elsewhere

    private static func runtime(_ bundle: Bundle) -> [String] { ["skiff-runtime", "--root", bundle.path + "/state"] }

    private func start(
        program: String, _ arguments: [String], _ streams: [(parent: Int32, child: Int32)]
    ) throws -> pid_t {
        try Spawn(
            program, arguments: arguments, environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], descriptors: streams
        )
        .start()
    }

    @Test func memoryGoesToAPageServer() throws {
        defer { bundle.remove() }
        try start()
        _ = try count(beyond: 3)
        let elsewhere = bundle.path + "/elsewhere", port = try freePort()
        try makeDirectories(elsewhere)
        let ready = try Pipe()
        let server = try PidFD(
            start(
                program: "/usr/sbin/criu",
                [
                    "criu", "page-server", "--images-dir", elsewhere, "--address", "127.0.0.1", "--port", "\(port)",
                    "--status-fd", "3", "--log-file", "server.log",
                ], [(ready.write.raw, 3)]))
        defer {
            try? server.send(SIGKILL)
            _ = try? server.wait()
        }
        #expect(try byte(ready.read.raw) == 0, "the server listens")
        let dumped = try checkpoint("--page-server", "127.0.0.1:\(port)")
        try #require(dumped.code == 0, "\(dumped.errors)")
        let sent = try pages(elsewhere)
        #expect(try !sent.isEmpty && pages(images).isEmpty, "the memory is where the server is, and only there")
        let stopped = try #require(current())
        // As on the host that the memory was sent to: both folders' files in one.
        let directory = try open(elsewhere, O_RDONLY | O_DIRECTORY)
        for file in try readDirectory(directory.raw).map(\.name.text) where file.hasPrefix("page") {
            try rename("\(elsewhere)/\(file)", to: "\(images)/\(file)")
        }
        let restored = try restore()
        try #require(restored.code == 0, "\(restored.errors)")
        _ = try count(beyond: stopped)
    }

    @Test func memoryStaysBehindUntilItIsAskedFor() throws {
        let other = bundle.id + "-b"
        defer {
            _ = try? bundle.runtime("delete", "--force", other)
            bundle.remove()
        }
        // Both are there for a while, so each has a group by its name.
        try start { $0.linux.cgroupsPath = nil }
        _ = try count(beyond: 3)
        let port = try freePort(), ready = try Pipe()
        let source = try PidFD(
            start(
                program: Bundle.program(),
                Self.runtime(bundle) + [
                    "checkpoint", "--lazy-pages", "--page-server", "127.0.0.1:\(port)", "--status-fd", "3",
                    "--manage-cgroups-mode", "ignore", "--image-path", images, bundle.id,
                ], [(ready.write.raw, 3)]))
        defer {
            try? source.send(SIGKILL)
            _ = try? source.wait()
        }
        #expect(try byte(ready.read.raw) == 0, "the pages can be asked for")
        let stopped = try #require(current())
        let asker = try PidFD(
            start(
                program: "/usr/sbin/criu",
                [
                    "criu", "lazy-pages", "--page-server", "--address", "127.0.0.1", "--port", "\(port)",
                    "--images-dir", images, "--log-file", "lazy.log",
                ], []))
        defer {
            try? asker.send(SIGKILL)
            _ = try? asker.wait()
        }
        #expect(try source.reap() == nil, "it waits for whoever asks for pages")
        try #require(try appears(images + "/lazy-pages.socket"), "criu lazy-pages does not listen")
        let restored = try restore("--lazy-pages", "--manage-cgroups-mode", "ignore", as: other)
        try #require(restored.code == 0, "\(restored.errors)")
        _ = try count(beyond: stopped)
        #expect(try source.wait() == .exited(0), "every page was asked for in the end")
        #expect(try bundle.runtime("state", bundle.id).code != 0, "and then the one that was dumped is gone")
    }

    /// Whether a file is there within half a minute.
    private func appears(_ path: String) throws -> Bool {
        for _ in 0..<1800 where !exists(path) { _ = try poll([], timeout: 100) }
        return exists(path)
    }

    /// The byte that comes first, nil where none comes within half a minute.
    private func byte(_ raw: Int32) throws -> UInt8? {
        guard try poll([(raw, Int16(POLLIN))], timeout: 180_000)[0] & Int16(POLLIN) != 0 else { return nil }
        var buffer: [UInt8] = [0xff]
        let count = try buffer.withUnsafeMutableBytes { try Linux.read(raw, into: $0) }
        return count == 1 ? buffer[0] : nil
    }

    /// A port that nobody has at this moment.
    private func freePort() throws -> UInt16 {
        let socket = try InternetSocket.make(.tcp)
        try InternetSocket.bind(socket.raw, .loopback, 0)
        return try InternetSocket.port(of: socket.raw)
    }

    // MARK: Datagrams of local sockets

    private func datagramSocket() throws -> OwnedDescriptor {
        OwnedDescriptor(
            owning: try check("socket") {
                socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            })
    }

    /// Binds or connects a socket to a path.
    private func name(
        _ raw: Int32, _ path: String, _ call: (Int32, UnsafePointer<sockaddr_un>, socklen_t) -> Int32
    ) throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        try #require(path.utf8.count < MemoryLayout.size(ofValue: address.sun_path))
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        try check("bind or connect", path) { call(raw, &address, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
}
