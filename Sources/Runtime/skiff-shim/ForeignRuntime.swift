internal import CLinux
internal import ContainerRuntime
internal import JSON
internal import Linux
internal import OCI
internal import ShimProtocol

/// Another OCI runtime's program, which makes the container instead of our own library.
///
/// ```
/// <shim's directory>/bundle/config.json    the document, users resolved to numbers
///                    bundle/rootfs         the overlay, mounted in the shim's own mount namespace
///                    state/                the runtime's --root
///                    runtime.log           what it says when it fails (JSON lines)
///                    console.sock          where it sends a terminal's master
/// ```
/// Its verbs are run to their end, except for `delete`; the container's process then is the shim's child, because orphans
/// come to a subreaper, and from there on everything is as with our own.
final class ForeignRuntime {
    private let program: RuntimeProgram
    /// Its words before every verb.
    private let settings: [String]
    private let id: String
    private let directory: String
    private let handle: OwnedDescriptor
    private let log: String

    /// Mounts the root file system where only this shim and what it starts see it.
    init(_ program: RuntimeProgram, _ order: LaunchOrder) throws {
        self.program = program
        id = order.id
        directory = order.directory
        log = "\(directory)/runtime.log"
        settings =
            program.arguments + ["--root", "\(directory)/state", "--log", log, "--log-format", "json"]
            + (order.usesSystemd ? ["--systemd-cgroup"] : [])
        for name in ["bundle", "bundle/rootfs", "state"] {
            try makeDirectory("\(directory)/\(name)", mode: name == "bundle/rootfs" ? 0o755 : 0o700)
        }
        handle = try open(directory, O_RDONLY | O_DIRECTORY)
        try leave(.mount)
        try changePropagation(ofEverything: .slave)
        let rootfs = try open("\(directory)/bundle/rootfs", O_PATH | O_DIRECTORY)
        // The list of layers is relative to their base, so that is where the mount is made first.
        try changeDirectory(order.rootfs.base)
        var options = "lowerdir=" + order.rootfs.lower.joined(separator: ":")
        if let upper = order.rootfs.upper, let work = order.rootfs.work {
            options += ",upperdir=\(upper),workdir=\(work)"
        }
        try mountHere(type: "overlay", options: options + ",redirect_dir=off,metacopy=off,index=off")
        let tree = try MountTree(cloning: order.rootfs.base, recursive: false)
        try changeDirectory("/")
        try detachMount(order.rootfs.base)
        try tree.attach(over: rootfs.raw)
    }

    /// `create`, then `start`.
    ///
    /// - Parameter created: what has to be done while the container's process waits: it may end as soon as it is started.
    /// - Returns: the container's process, and the terminal's master where one was asked for.
    func launch(
        _ spec: RuntimeSpec, seccomp: JSON?, network: Int32?, _ stdio: Stdio, created: (pid_t) throws -> Void
    ) throws -> (pid: Int32, master: Int32?) {
        var resolved = spec
        // crun before 1.9 takes no version but 1.0; what later ones added is optional, and unknown members are passed over.
        resolved.version = "1.0.2"
        if let process = spec.process { resolved.process = try withNumbers(process) }
        if let network {
            resolved.linux.namespaces.removeAll { $0.kind == .network }
            resolved.linux.namespaces.append(
                RuntimeSpec.Namespace(.network, path: "/proc/\(processNumber())/fd/\(network)"))
        }
        var document = resolved.json
        document["linux"]?["seccomp"] = seccomp
        try writeFile("\(directory)/bundle/config.json", document.serialized(), mode: 0o600)
        let (pid, master) = try start(
            ["create", "--bundle", "\(directory)/bundle"], [id], stdio, terminal: spec.process?.terminal ?? false)
        do {
            try created(pid)
            try run(["start", id], nil)
        } catch {
            if let master { closeDescriptor(master) }
            throw error
        }
        return (pid, master)
    }

    /// `exec`, detached.
    func exec(_ process: RuntimeSpec.Process, _ stdio: Stdio) throws -> (pid: Int32, master: Int32?) {
        let file = "\(directory)/exec.json"
        try writeFile(file, try withNumbers(process).json.serialized(), mode: 0o600)
        defer { try? unlink(file) }
        return try start(["exec", "--detach", "--process", file], [id], stdio, terminal: process.terminal)
    }

    /// `kill`: the container's process may be a sandbox, which only its runtime can have send a signal to what runs in it.
    func signal(_ number: Int32) throws { try run(["kill", id, "\(number)"], nil) }

    /// `pause` or `resume`: what still answers in a paused sandbox would not in a frozen cgroup.
    func pause(_ paused: Bool) throws { try run([paused ? "pause" : "resume", id], nil) }

    /// `delete --force`; ``removeFiles()`` is due when the process has ended.
    ///
    /// Nobody waits for it: gVisor waits in its turn until the shim has reaped what else there was of the sandbox.
    ///
    /// - Returns: the process, nil if there is none.
    func beginDeletion() -> pid_t? { try? spawn(["delete", "--force", id], nil).start() }

    /// `delete --force` to its end, and everything of the bundle.
    func clear() {
        try? run(["delete", "--force", id], nil)
        removeFiles()
    }

    /// Removes the bundle and what the runtime had beside it.
    func removeFiles() {
        try? detachMount("\(directory)/bundle/rootfs")
        for name in ["bundle", "state", "runtime.log", "pid", "console.sock"] {
            try? removeTree("\(directory)/\(name)")
        }
    }

    // MARK: Inside

    private func start(
        _ verb: [String], _ operands: [String], _ stdio: Stdio, terminal: Bool
    ) throws -> (pid: Int32, master: Int32?) {
        var arguments = verb + ["--pid-file", "\(directory)/pid"]
        var listener: SharedDescriptor?
        if terminal {
            try? unlink("\(directory)/console.sock")
            let socket = try listenForStreams(in: handle.raw, "console.sock", mode: 0o600, group: nil, backlog: 1)
            try setNonBlocking(socket.raw)
            listener = SharedDescriptor(socket)
            // The short way to a socket whose path may be too long for an address.
            arguments += ["--console-socket", "/proc/\(processNumber())/fd/\(handle.raw)/console.sock"]
        }
        try run(arguments + operands, stdio)
        var master: Int32?
        if let listener {
            guard let connection = try acceptConnection(listener.raw) else {
                throw FailureReport(stage: "console", errno: 0, path: nil, message: "\(program.path) sent no terminal")
            }
            try setNonBlocking(connection.raw, false)
            guard var message = try receiveMessage(connection.raw, limit: 4096), let sent = message.descriptors.take()
            else {
                throw FailureReport(stage: "console", errno: 0, path: nil, message: "\(program.path) sent no terminal")
            }
            master = sent.release()
        }
        let text = (try? readText("\(directory)/pid", limit: 64)) ?? ""
        guard let pid = Int32(text.filter { $0 != "\n" }), pid > 0 else {
            throw FailureReport(
                stage: "exec", errno: 0, path: nil, message: "\(program.path) wrote \"\(text)\" as a pid")
        }
        return (pid, master)
    }

    /// Runs the program to its end.
    private func run(_ arguments: [String], _ stdio: Stdio?) throws {
        try? unlink(log)
        let pid = try spawn(arguments, stdio).start()
        let end = try PidFD(pid).wait()
        if end == .exited(0) { return }
        throw failure(arguments[0], code: end?.code ?? -1)
    }

    private func spawn(_ arguments: [String], _ stdio: Stdio?) -> Spawn {
        var descriptors: [(parent: Int32, child: Int32)] = []
        if case .descriptors(let input, let output, let error)? = stdio {
            descriptors = [(input, 0), (output, 1), (error, 2)]
        }
        return Spawn(
            program.path, arguments: [program.path] + settings + arguments,
            environment: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            descriptors: descriptors, newSession: false
        )
    }

    /// The last error the runtime logged, with the number its words stand for.
    private func failure(_ verb: String, code: Int32) -> FailureReport {
        let lines = ((try? readText(log, limit: 1 << 20)) ?? "").split(separator: "\n").map(String.init)
        let message =
            lines.reversed().lazy.compactMap { line in (try? JSON.parse(line))?["msg"]?.stringValue }.first
            ?? "\(program.path) \(verb) ended with \(code)"
        let words: [(String, Int32)] = [
            ("executable file not found", ENOENT), ("no such file or directory", ENOENT), ("permission denied", EACCES),
        ]
        let lower = message.lowercased()
        let errno = words.first { contains(lower, $0.0) }?.1 ?? 0
        return FailureReport(stage: "exec", errno: errno, path: nil, message: message)
    }

    private func contains(_ text: String, _ part: String) -> Bool {
        let (text, part) = (Array(text.utf8), Array(part.utf8))
        guard text.count >= part.count else { return false }
        return (0...(text.count - part.count)).contains { Array(text[$0..<($0 + part.count)]) == part }
    }

    /// The process with users and groups as numbers out of the container's own files, as other runtimes need them.
    private func withNumbers(_ process: RuntimeSpec.Process) throws -> RuntimeSpec.Process {
        guard process.user.name != nil || !process.user.additionalGroups.isEmpty else { return process }
        let accounts = Accounts(passwd: account("etc/passwd"), group: account("etc/group"))
        var process = process
        do {
            let identity = try accounts.identity(
                of: process.user.name ?? "", additional: process.user.additionalGroups)
            process.user.uid = identity.uid
            process.user.gid = identity.gid
            process.user.additionalGids = identity.groups
            process.user.name = nil
            process.user.additionalGroups = []
            if !process.environment.contains(where: { $0.hasPrefix("HOME=") }) {
                process.environment.append("HOME=\(identity.home)")
            }
        } catch {
            throw FailureReport(stage: "user", errno: 0, path: nil, message: error.description)
        }
        return process
    }

    /// A file of the container's tree: regular, small, and never waited for.
    private func account(_ path: String) -> String {
        guard let root = try? open("\(directory)/bundle/rootfs", O_PATH | O_DIRECTORY),
            let file = try? openRegularFile(in: root.raw, path),
            let bytes = try? readAll(file.raw, limit: 1 << 20)
        else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }
}
