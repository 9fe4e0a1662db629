internal import DockerfileSyntax
internal import Failures
internal import JSON
internal import Linux
internal import OCI
internal import Synchronization

/// Tells of steps in the order of the Dockerfile, whatever runs at the same time: the first step that is not done is told
/// of live, later ones wait their turn.
final class BuildProgress: Sendable {
    private struct Slot {
        var waiting: [BuildEvent] = []
        var isDone = false
    }

    private struct State {
        var current = 0
        var slots: [Slot]
        /// When each step was made, for history.
        var created: [Int: Int64] = [:]
    }

    private let plan: BuildPlan
    private let output: @Sendable (BuildEvent) -> Void
    private let metadata: MetadataSteps
    private let state: Mutex<State>
    /// The steps of each vertex, those that make it first.
    private let steps: [VertexID: [Int]]

    /// - Parameter told: how many steps have been told of already.
    init(_ plan: BuildPlan, told: Int = 0, metadata: MetadataSteps, output: @escaping @Sendable (BuildEvent) -> Void) {
        self.plan = plan
        self.metadata = metadata
        self.output = output
        var steps: [VertexID: [Int]] = [:]
        for (index, step) in plan.steps.enumerated() where !step.isGlobal {
            steps[step.vertex, default: []].append(index)
        }
        self.steps = steps
        state = Mutex(State(slots: plan.steps.map { _ in Slot() }))
        for (index, step) in plan.steps.enumerated() {
            if let note = step.note { emit(.output(.stdout, Array((note + "\n").utf8)), in: index) }
            if let number = step.number, index >= told {
                emit(.step(number: number, total: plan.total, text: step.text), in: index)
            }
            // An ARG in front of all stages makes nothing.
            if step.isGlobal { end(index) }
        }
    }

    // MARK: Vertices

    /// What a vertex is called: the text of the first step that makes it.
    func text(_ id: VertexID) -> String { steps[id]?.first.map { plan.steps[$0].text } ?? "" }

    /// Something happened while the vertex was made.
    func emit(_ event: BuildEvent, at id: VertexID) { if let index = steps[id]?.first { emit(event, in: index) } }

    /// The vertex is made, and so is what only changes the config after it.
    func finish(_ id: VertexID, _ tree: TreeState) async throws {
        for (position, index) in (steps[id] ?? []).enumerated() {
            let step = plan.steps[index]
            var isKnown = tree.wasCached || position > 0
            var created = tree.created
            if !step.makesTree, !step.isBase { (isKnown, created) = try await metadata.find(step, tree) }
            state.withLock { $0.created[index] = created }
            if isKnown, !step.isBase { emit(.usingCache, in: index) }
            // The last step's image has an id only when it is written.
            if index < plan.steps.count - 1 {
                emit(.result(step.baseID ?? MetadataSteps.shortID(step, tree)), in: index)
                end(index)
            }
        }
    }

    /// The image is written.
    func finish(image: String) {
        let last = plan.steps.count - 1
        guard last >= 0 else { return }
        emit(.result(String(image.drop { $0 != ":" }.dropFirst().prefix(12))), in: last)
        end(last)
    }

    /// When a step was made, in nanoseconds since 1970.
    func created(_ index: Int) -> Int64 { state.withLock { $0.created[index] } ?? WallTime.now().total }

    /// Tells what later steps have said so far: the build failed, and their words may say why.
    func flush() {
        state.withLock { state in
            for index in state.slots.indices where index >= state.current {
                // A step that did nothing but wait says nothing.
                if state.slots[index].waiting.contains(where: { if case .step = $0 { false } else { true } }) {
                    for event in state.slots[index].waiting { output(event) }
                }
                state.slots[index].waiting = []
            }
        }
    }

    /// The failure in words for the person who builds.
    func located(_ error: any Error, at id: VertexID) -> any Error {
        switch error {
        case let problem as SyntaxProblem: return Failure(.invalid, problem.message)
        case is CancellationError: return Failure(.cancelled, "the build was called off")
        case let system as SystemError: return Failure(.internal, "step '\(text(id))': \(system)", cause: system)
        default: return error
        }
    }

    // MARK: Order

    private func emit(_ event: BuildEvent, in index: Int) {
        // Under the lock, so that nobody overtakes; the output must not block.
        state.withLock { state in
            if index == state.current { output(event) } else { state.slots[index].waiting.append(event) }
        }
    }

    private func end(_ index: Int) {
        state.withLock { state in
            state.slots[index].isDone = true
            while state.current < state.slots.count, state.slots[state.current].isDone {
                state.current += 1
                guard state.current < state.slots.count else { return }
                for event in state.slots[state.current].waiting { output(event) }
                state.slots[state.current].waiting = []
            }
        }
    }
}

/// Steps that change the config alone: nothing is run for them, but their time is kept, so that a build whose steps are
/// all known makes the same image byte for byte.
struct MetadataSteps: Sendable {
    let cache: BuildCache
    /// Results are made anew.
    let ignoresKnown: Bool

    /// Whether the step was done before, and when.
    func find(_ step: BuildPlan.Step, _ tree: TreeState) async throws -> (isKnown: Bool, created: Int64) {
        let key = Self.key(step, tree)
        if !ignoresKnown, let known = try await cache.find(key) { return (true, known.created) }
        let now = WallTime.now().total
        try await cache.save(BuildCache.Entry(layer: nil, chain: nil, created: now, description: step.text), under: key)
        return (false, now)
    }

    private static func key(_ step: BuildPlan.Step, _ tree: TreeState) -> Digest {
        var digest = DefinitionDigest("metadata.1")
        digest.add(tree.chain?.description)
        digest.add(step.createdBy)
        let config = step.config.json.serialized(sortedKeys: true)
        config.withUnsafeBytes { digest.add(bytes: $0) }
        return digest.finish()
    }

    /// 12 digits that stand for the image as it would be after the step.
    static func shortID(_ step: BuildPlan.Step, _ tree: TreeState) -> String { key(step, tree).short }
}
