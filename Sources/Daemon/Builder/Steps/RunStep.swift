internal import CLinux
internal import DockerfileSyntax
internal import Execution
internal import Failures
internal import Images
internal import Linux
internal import NIOPosix
internal import Networking
internal import OCI
internal import Storage

/// Runs one RUN: a process in a sandbox on a writable snapshot, whose changes become a layer.
///
/// ```
/// mounts made ready → network → snapshot → shim → output until the end → changes packed → snapshot is the layer
/// ```
/// Whatever fails, and when the build is called off, everything is undone in reverse before the failure goes on.
struct RunStep: Sendable {
    let environment: BuildEnvironment
    let lease: BuildLease
    let request: BuildRequest
    let operation: RunOperation
    /// What the step stands on, and what its mounts come from.
    let inputs: [TreeState]
    let context: BuildContext
    let emit: @Sendable (BuildEvent) -> Void
    private let id = RandomID.make()

    init(
        _ environment: BuildEnvironment, _ lease: BuildLease, _ request: BuildRequest, _ operation: RunOperation,
        inputs: [TreeState],
        context: BuildContext, emit: @escaping @Sendable (BuildEvent) -> Void
    ) {
        self.environment = environment
        self.lease = lease
        self.request = request
        self.operation = operation
        self.inputs = inputs
        self.context = context
        self.emit = emit
    }

    private var shortID: String { String(id.prefix(12)) }
    private var folder: String { environment.steps + "/" + id }
    private var parent: Digest? { inputs.first?.chain }

    /// - Returns: the layer and its chain, or `nil` when the process changed nothing.
    func run() async throws -> (layer: LayerDescriptor, chain: Digest)? {
        let network = try StepNetwork(build: request.networkMode, step: operation.network)
        let cgroup = try environment.cgroups.group(of: id, below: request.limits.cgroupParent ?? "")
        let snapshots = environment.snapshots
        let folder = self.folder
        try await environment.pool.runIfActive { try makeDirectory(folder, mode: 0o700) }
        let undo = Undo()
        undo.add { [environment] in _ = try? await environment.pool.runIfActive { try removeTree(folder) } }
        return try await undo.afterwards {
            let mounts = try await prepareMounts(undo)
            let sandbox = try await environment.networks.attach(
                network.request(id: id, hostname: shortID, extraHosts: request.extraHosts))
            undo.add { [environment, id] in await environment.networks.detach(id) }
            let names = try await writeNames(sandbox.files)
            let parent = self.parent
            let id = self.id
            let targets = MountStubs.standard + mounts.map(\.target)
            let (rootfs, stubs) = try await environment.pool.runIfActive {
                try snapshots.createWritable(id, parent: parent?.description)
                do {
                    let below = ImageTree(root: try parent.map { SharedDescriptor(try snapshots.view($0.description)) })
                    return (try snapshots.mounts(id), try MountStubs(targets, below: below))
                } catch {
                    try? snapshots.remove(id)
                    throw error
                }
            }
            undo.add { [environment] in _ = try? await environment.pool.runIfActive { try snapshots.remove(id) } }
            let plan = StepSandbox(
                operation: operation, limits: request.limits, cgroup: cgroup,
                hostname: shortID, nameFiles: names,
                mounts: mounts, usesHostNetwork: network == .host)
            try await execute(plan.settings, rootfs, sandbox.namespace)
            return try await commit(stubs)
        }
    }

    // MARK: The process

    private func execute(_ settings: SandboxSettings, _ rootfs: OverlayMount, _ namespace: SharedDescriptor?)
        async throws
    {
        try Task.checkCancellation()
        let (attachment, stream) = try StreamAttachment.pair(StreamChoice())
        emit(.running(shortID))
        let launch = LaunchRequest(
            id: id, sandbox: settings, rootfs: rootfs, networkNamespace: namespace, attachments: [attachment])
        let task: ContainerTask
        do { task = try await environment.launcher.launch(launch) } catch {
            throw Failure(
                error.kind == .internal ? .invalid : error.kind,
                "cannot run '\(operation.commandLine)': \(error.message)", cause: error)
        }
        let status = await withTaskCancellationHandler {
            async let output: Void = StepOutput.drain(stream) { [emit] in emit(.output($0, $1)) }
            let status = await task.exit
            await output
            return status
        } onCancel: {
            Task { try? await task.signal(SIGKILL, all: true) }
        }
        await Task { await task.collect() }.value
        try Task.checkCancellation()
        emit(.removed(shortID))
        if status.isLost {
            throw Failure(.internal, "the step '\(operation.commandLine)' was lost: its supervisor was killed")
        }
        guard status.code == 0 else { throw StepFailure(command: operation.commandLine, code: status.code) }
    }

    private func commit(_ stubs: MountStubs) async throws -> (layer: LayerDescriptor, chain: Digest)? {
        let snapshots = environment.snapshots
        let id = self.id
        let upper = try await environment.pool.runIfActive {
            let upper = SharedDescriptor(try snapshots.diffDirectory(id))
            try stubs.remove(from: upper.raw)
            return upper
        }
        guard
            let layer = try await LayerBlob(content: environment.content, pool: environment.pool, lease: lease).store(
                upper)
        else { return nil }
        let chain = TreeState.chain(parent, layer.diffID)
        try await lease.keep(snapshot: chain.description)
        try await environment.pool.runIfActive { try snapshots.commitWritable(id, as: chain.description) }
        return (layer, chain)
    }

    private func writeNames(_ files: NameFiles) async throws -> StepSandbox.NameFilePaths {
        let paths = StepSandbox.NameFilePaths(
            hosts: folder + "/hosts", hostname: folder + "/hostname", resolvConf: folder + "/resolv.conf")
        try await environment.pool.runIfActive {
            for (path, text) in [
                (paths.hosts, files.hosts), (paths.hostname, files.hostname), (paths.resolvConf, files.resolvConf),
            ] {
                try writeFile(path, Array(text.utf8), mode: 0o644)
            }
        }
        return paths
    }

    // MARK: Mounts

    private func prepareMounts(_ undo: Undo) async throws -> [SandboxMount] {
        var mounts: [SandboxMount] = []
        if let script = operation.script {
            let path = folder + "/script"
            try await environment.pool.runIfActive { try writeFile(path, Array(script.content.utf8), mode: 0o755) }
            mounts.append(SandboxMount(.bind(source: path), target: Planner.scriptPath(script.name), readOnly: true))
        }
        for (index, mount) in operation.mounts.enumerated() {
            switch mount.kind {
            case .tmpfs:
                let options = ["mode=1777"] + (mount.size.map { ["size=\($0)"] } ?? [])
                mounts.append(SandboxMount(.tmpfs, target: mount.target, options: options))
            case .cache:
                let hold = await environment.cacheMounts.take(mount.id, sharing: mount.sharing)
                undo.add { [environment] in environment.cacheMounts.giveBack(hold) }
                try await makeCache(hold.path, mount)
                mounts.append(SandboxMount(.bind(source: hold.path), target: mount.target, readOnly: mount.readOnly))
            case .bind:
                // A copy that goes with the step: what is written to it is thrown away, as the reference has it.
                let source = try await copy(mount, to: "\(folder)/mount-\(index)")
                mounts.append(SandboxMount(.bind(source: source), target: mount.target, readOnly: mount.readOnly))
            case .secret, .ssh:
                throw Failure(.notImplemented, "--mount=type=\(mount.kind.rawValue) needs a BuildKit session")
            }
        }
        return mounts
    }

    /// Makes a cache's directory if it is new, with what `from` names in it.
    private func makeCache(_ path: String, _ mount: RunOperation.Mount) async throws {
        let isNew = try await environment.pool.runIfActive { () throws -> Bool in
            if exists(path) { return false }
            try makeDirectories(path, mode: 0o700)
            return true
        }
        guard isNew else { return }
        if mount.input != nil { _ = try await copy(mount, to: path) }
        try await environment.pool.runIfActive {
            let directory = try open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            try setOwner(directory.raw, uid: mount.user, gid: mount.group)
            try setMode(directory.raw, mode_t(mount.mode))
        }
    }

    /// Copies what a mount names to a directory of ours, and says where it is then: the directory, or the file in it.
    private func copy(_ mount: RunOperation.Mount, to path: String) async throws -> String {
        let snapshots = environment.snapshots
        let state = mount.input.map { inputs[$0] }
        let context = self.context
        return try await environment.pool.runIfActive {
            if !exists(path) { try makeDirectory(path, mode: 0o755) }
            let source: CopySource
            if let state {
                let root = try state.snapshot.map { SharedDescriptor(try snapshots.view($0)) }
                source = try CopySource(image: ImageTree(root: root), sources: [mount.source])
            } else {
                source = CopySource(context: context)
            }
            let operation = CopyOperation(isAdd: false, sources: [Self.literal(mount.source)], destination: "/")
            let selection = try CopySelection(operation, in: source.tree) { _ in false }
            let directory = try open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            let layer = LayerTree(layer: directory.raw, below: ImageTree(root: nil), owner: nil, mode: nil)
            guard let first = selection.sources.first, first.root.kind != .directory else {
                try source.write(selection, at: .root, isDirectory: true, into: layer)
                try layer.finish()
                return path
            }
            try source.write(selection, at: TreePath("file"), isDirectory: false, into: layer)
            try layer.finish()
            return path + "/file"
        }
    }

    /// A mount's source is a path and never a pattern.
    private static func literal(_ source: String) -> String {
        source.reduce(into: "") { text, character in
            if "*?[\\".contains(character) { text += "\\" }
            text.append(character)
        }
    }
}

/// What must be undone, in reverse, whether the work succeeds or not; a cancelled task undoes too.
final class Undo: Sendable {
    private let steps = Locked<[@Sendable () async -> Void]>([])

    func add(_ step: @escaping @Sendable () async -> Void) { steps.with { $0.append(step) } }

    func afterwards<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        let result: Result<Value, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        let steps = self.steps.with { steps in
            defer { steps = [] }
            return steps
        }
        // A task of its own, which is not cancelled with the build.
        await Task { for step in steps.reversed() { await step() } }.value
        return try result.get()
    }
}
