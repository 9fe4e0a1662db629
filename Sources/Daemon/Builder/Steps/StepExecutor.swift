internal import DockerfileSyntax
internal import Failures
internal import Images
internal import Linux
internal import NIOPosix
internal import OCI
internal import Storage

/// What steps that several builds want at the same time are shared by: their key, the events of the one that runs, what
/// came out.
typealias SharedSteps = SharedTasks<Digest, BuildEvent, BuildCache.Entry>

/// Gives a build's vertices their meaning: looks results up, runs what is not known, and keeps what comes out.
struct StepExecutor: VertexExecutor {
    let environment: BuildEnvironment
    let cache: BuildCache
    let shared: SharedSteps
    let lease: BuildLease
    let request: BuildRequest
    let context: BuildContext
    let progress: BuildProgress
    /// With `noCache`, part of every key: nothing known is found, and nothing is shared with other builds.
    let salt: String?

    func execute(_ vertex: BuildGraph<StepOperation>.Vertex, inputs: [TreeState]) async throws -> TreeState {
        do {
            let state = try await state(of: vertex, inputs)
            try await progress.finish(vertex.id, state)
            return state
        } catch {
            throw progress.located(error, at: vertex.id)
        }
    }

    private func state(of vertex: BuildGraph<StepOperation>.Vertex, _ inputs: [TreeState]) async throws -> TreeState {
        switch vertex.operation {
        case .scratch: return TreeState()
        case .image(let base): return try await state(of: base)
        case .directory(let path):
            let parent = try first(inputs)
            let key = key(vertex.operation, inputs)
            return try await result(key, vertex, parent) { _ in
                try await DirectoryStep(environment: environment, lease: lease, path: path, parent: parent).run()
            }
        case .run(let run):
            var digest = DefinitionDigest("run-inputs")
            for mount in run.mounts where mount.kind == .bind && mount.input == nil {
                digest.add(try contextDigest(mount.source))
            }
            let key = key(vertex.operation, inputs, digest.finish())
            return try await result(key, vertex, try first(inputs)) { emit in
                try await RunStep(environment, lease, request, run, inputs: inputs, context: context, emit: emit).run()
            }
        case .copy(let copy): return try await state(of: copy, vertex, inputs)
        }
    }

    private func first(_ inputs: [TreeState]) throws -> TreeState {
        guard let parent = inputs.first else { throw Failure(.internal, "a step stands on nothing") }
        return parent
    }

    private func state(of base: BaseImage) async throws -> TreeState {
        guard let image = environment.images.image(base.id) else {
            throw Failure(.notFound, "image \(base.reference) was removed while the build began: try again")
        }
        try await lease.keep(blobs: image.manifest.layers.map(\.digest), snapshot: image.snapshot)
        let layers = zip(image.manifest.layers, image.config.rootfs.diffIDs).map {
            LayerDescriptor(blob: $0, diffID: $1)
        }
        return TreeState(chain: image.chainIDs.last, layers: layers, created: image.created * 1_000_000_000)
    }

    /// A copy from another stage is first looked up by where that stage came from, which costs nothing, then by what is
    /// taken from it: a stage that was made anew with the same files changes nothing behind it.
    private func state(
        of copy: CopyOperation, _ vertex: BuildGraph<StepOperation>.Vertex, _ inputs: [TreeState]
    ) async throws -> TreeState {
        let parent = try first(inputs)
        let source = copy.fromInput ? inputs.dropFirst().first : nil
        let step = CopyStep(
            environment: environment, lease: lease, operation: copy, parent: parent, source: source, context: context)
        var origin: Digest?
        if source != nil {
            let key = key(vertex.operation, inputs)
            if let known = try await found(key) { return state(known, on: parent, wasCached: true) }
            origin = key
        }
        let input = try await step.gather()
        let key = key(vertex.operation, [parent], input.digest)
        let state = try await result(key, vertex, parent) { _ in try await step.run(input) }
        if let origin, salt == nil || !state.wasCached {
            let entry = BuildCache.Entry(
                layer: state.addsLayer ? state.layers.last : nil, chain: state.addsLayer ? state.chain : nil,
                created: state.created,
                description: progress.text(vertex.id))
            try await cache.save(entry, under: origin)
        }
        return state
    }

    private func contextDigest(_ source: String) throws -> Digest {
        let operation = CopyOperation(isAdd: false, sources: [source], destination: "/")
        return try CopySelection(operation, in: context.tree) { _ in false }.digest(keepsOwners: false)
    }

    // MARK: Known results

    /// The key of a result: what is done, the layers it is done to, and what comes in beside them.
    private func key(_ operation: StepOperation, _ inputs: [TreeState], _ content: Digest? = nil) -> Digest {
        var digest = DefinitionDigest("step.1")
        digest.add(operation.definition)
        digest.add(number: Int64(inputs.count))
        for input in inputs { digest.add(input.chain?.description) }
        digest.add(content?.description)
        return digest.finish()
    }

    private func found(_ key: Digest) async throws -> BuildCache.Entry? {
        salt == nil ? try await cache.find(key) : nil
    }

    /// The state under the key, from the cache or by running `step`, here or in another build that does it now.
    private func result(
        _ key: Digest, _ vertex: BuildGraph<StepOperation>.Vertex, _ parent: TreeState,
        _ step:
            @escaping @Sendable (_ emit: @escaping @Sendable (BuildEvent) -> Void) async throws -> (
                layer: LayerDescriptor, chain: Digest
            )?
    ) async throws -> TreeState {
        if let known = try await found(key) { return state(known, on: parent, wasCached: true) }
        var job = DefinitionDigest("job")
        job.add(key)
        job.add(salt)
        let text = progress.text(vertex.id)
        let cache = self.cache
        let entry = try await shared.value(for: job.finish(), observe: { progress.emit($0, at: vertex.id) }) { emit in
            let made = try await step(emit)
            let entry = BuildCache.Entry(
                layer: made?.layer, chain: made?.chain, created: WallTime.now().total, description: text)
            try await cache.save(entry, under: key)
            return entry
        }.value
        // Another build may have made it: then only that build's promise keeps it yet.
        if let layer = entry.layer, let chain = entry.chain {
            try await lease.keep(blobs: [layer.blob.digest], snapshot: chain.description)
        }
        return state(entry, on: parent, wasCached: false)
    }

    private func state(_ entry: BuildCache.Entry, on parent: TreeState, wasCached: Bool) -> TreeState {
        var state = parent
        state.addsLayer = false
        state.created = entry.created
        state.wasCached = wasCached
        if let layer = entry.layer, let chain = entry.chain {
            state.layers.append(layer)
            state.chain = chain
            state.addsLayer = true
        }
        return state
    }
}
