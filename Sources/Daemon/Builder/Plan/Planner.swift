internal import DockerfileSyntax
internal import OCI

/// Turns a Dockerfile and the images it begins with into a plan.
///
/// Pure: the same text, arguments and images make the same
/// plan.
struct Planner {
    let file: Dockerfile
    let selection: StageSelection
    let arguments: BuildArguments
    let images: [StageSelection.ImageNeed: BaseImage]

    private var graph = BuildGraph<StepOperation>()
    private var steps: [BuildPlan.Step] = []
    private var stages: [Int: StageState] = [:]
    private var number = 0
    var consumed: Set<String>

    /// - Parameter images: one for each of `selection.images(file)`.
    init(
        _ file: Dockerfile, _ selection: StageSelection, _ arguments: BuildArguments,
        images: [StageSelection.ImageNeed: BaseImage]
    ) {
        self.file = file
        self.selection = selection
        self.arguments = arguments
        self.images = images
        consumed = selection.consumed
    }

    static func plan(
        _ file: Dockerfile, _ selection: StageSelection, _ arguments: BuildArguments,
        images: [StageSelection.ImageNeed: BaseImage],
        labels: [String: String] = [:]
    ) throws(DockerfileError) -> BuildPlan {
        var planner = Planner(file, selection, arguments, images: images)
        return try planner.plan(labels: labels)
    }

    private mutating func plan(labels: [String: String]) throws(DockerfileError) -> BuildPlan {
        let nothing = graph.add(.scratch, definition: StepOperation.scratch.definition)
        var before = StageState(vertex: nothing, image: nil)
        before.config = ImageConfig.Config()
        for instruction in file.globals {
            record(instruction, before, makesTree: false, createdBy: instruction.text)
            steps[steps.count - 1].isGlobal = true
        }
        for index in selection.needed { stages[index] = try stage(index) }
        guard var result = stages[selection.target] else {
            throw DockerfileError(SourceRange(line: 1), "the target stage was not planned")
        }
        result.config.labels.merge(labels) { $1 }
        var plan = BuildPlan(result: result)
        plan.graph = graph
        plan.steps = steps
        plan.total = number
        plan.warnings = [arguments.warning(consumed: consumed)].compactMap { $0 }
        return plan
    }

    // MARK: Stages

    private mutating func stage(_ index: Int) throws(DockerfileError) -> StageState {
        let stage = file.stages[index]
        var state = try begin(stage)
        let triggers = state.config.onBuild
        state.config.onBuild = []
        record(stage.start, state, makesTree: false, createdBy: stage.start.text)
        steps[steps.count - 1].isBase = true
        switch selection.bases[index] {
        case .image: steps[steps.count - 1].baseID = state.baseImage?.id.short
        case .scratch: steps[steps.count - 1].baseID = ""
        case .stage, nil: break
        }
        for (position, text) in triggers.enumerated() {
            let word = triggers.count == 1 ? "trigger" : "triggers"
            let note = position == 0 ? "# Executing \(triggers.count) build \(word)" : nil
            for instruction in try self.triggers(text, of: stage) {
                try apply(instruction, to: &state, of: index, note: note, counted: false)
            }
        }
        for instruction in stage.instructions { try apply(instruction, to: &state, of: index) }
        return state
    }

    private mutating func begin(_ stage: Dockerfile.Stage) throws(DockerfileError) -> StageState {
        switch selection.bases[stage.index] {
        case .scratch:
            return StageState(vertex: graph.add(.scratch, definition: StepOperation.scratch.definition), image: nil)
        case .stage(let other):
            guard let state = stages[other] else {
                throw DockerfileError(stage.start.range, "stage \(other) was not planned")
            }
            return state.continued()
        case .image(let need):
            let (vertex, image) = try self.image(need, stage.start.range)
            return StageState(vertex: vertex, image: image)
        case nil: throw DockerfileError(stage.start.range, "the stage has no base")
        }
    }

    private mutating func image(
        _ need: StageSelection.ImageNeed, _ range: SourceRange
    ) throws(DockerfileError) -> (VertexID, BaseImage) {
        guard let image = images[need] else { throw DockerfileError(range, "image \(need.reference) was not fetched") }
        let operation = StepOperation.image(image)
        let vertex = graph.add(operation, definition: operation.definition)
        return (vertex, image)
    }

    /// The tree a `from` means.
    private mutating func source(_ name: String, for index: Int, _ range: SourceRange) throws(DockerfileError)
        -> VertexID
    {
        if let stage = try StageSelection.source(name, for: index, in: file, range) {
            guard let state = stages[stage] else {
                throw DockerfileError(
                    range,
                    "stage \"\(name)\" is copied from by a trigger of the base image, but the target does not need it")
            }
            return state.vertex
        }
        return try image(StageSelection.ImageNeed(reference: name, platform: nil), range).0
    }

    /// The instructions of an image's ONBUILD line, which was written by whoever made the image.
    private func triggers(_ text: String, of stage: Dockerfile.Stage) throws(DockerfileError) -> [Instruction] {
        do throws(DockerfileError) {
            var triggers = try Dockerfile.triggers(Array(text.utf8))
            // Whoever builds has the line of the FROM, not those of the image's Dockerfile.
            for index in triggers.indices { triggers[index].range = stage.start.range }
            return triggers
        } catch {
            throw DockerfileError(
                stage.start.range,
                "the ONBUILD trigger \"\(text)\" of \(stage.from.image) cannot be used: \(error.message)")
        }
    }

    // MARK: Steps

    private mutating func record(
        _ instruction: Instruction, _ state: StageState, makesTree: Bool, createdBy: String, note: String? = nil,
        counted: Bool = true
    ) {
        if counted { number += 1 }
        steps.append(
            BuildPlan.Step(
                number: counted ? number : nil, text: instruction.text, note: note, vertex: state.vertex,
                makesTree: makesTree,
                config: state.config, createdBy: createdBy, range: instruction.range))
    }

    private mutating func apply(
        _ instruction: Instruction, to state: inout StageState, of index: Int, note: String? = nil, counted: Bool = true
    ) throws(DockerfileError) {
        let before = state.vertex
        var createdBy = instruction.text
        var makesTree = false
        if let operation = try treeOperation(instruction, &state, of: index, createdBy: &createdBy) {
            state.vertex = graph.add(
                operation.operation, definition: operation.operation.definition, inputs: [before] + operation.inputs)
            makesTree = true
        }
        state.history.append(PlannedHistory(createdBy: createdBy, step: steps.count))
        record(instruction, state, makesTree: makesTree, createdBy: createdBy, note: note, counted: counted)
    }

    /// What the instruction does to the tree, or `nil` when it only changes the config, which is done then.
    private mutating func treeOperation(
        _ instruction: Instruction, _ state: inout StageState, of index: Int, createdBy: inout String
    ) throws(DockerfileError) -> (operation: StepOperation, inputs: [VertexID])? {
        var inputs: [VertexID] = []
        switch instruction.operation {
        case .run(let run):
            // Inputs count from the tree itself, which is 0.
            var indices: [String: Int] = [:]
            for name in run.mounts.compactMap(\.from) where indices[name] == nil {
                inputs.append(try source(name, for: index, instruction.range))
                indices[name] = inputs.count
            }
            do {
                let operation = try self.run(run, state, inputs: indices)
                createdBy = runHistory(operation, state)
                return (.run(operation), inputs)
            } catch { throw error.at(instruction.range) }
        case .copy(let copy), .add(let copy):
            if let from = copy.from { inputs.append(try source(from, for: index, instruction.range)) }
            var isAdd = false
            if case .add = instruction.operation { isAdd = true }
            do { return (.copy(try self.copy(copy, state, isAdd: isAdd)), inputs) } catch {
                throw error.at(instruction.range)
            }
        case .workdir(let path):
            do throws(SyntaxProblem) {
                let expanded = try rules(state).word(path)
                guard !expanded.isEmpty else {
                    throw SyntaxProblem("cannot normalize nothing: WORKDIR is empty after expansion")
                }
                state.config.workingDir = state.absolute(expanded)
                return (.directory(state.config.workingDir), [])
            } catch { throw error.at(instruction.range) }
        default:
            do { try configure(instruction, &state) } catch { throw error.at(instruction.range) }
            return nil
        }
    }

    /// How words are expanded at this point of a stage.
    func rules(_ state: StageState, keepsQuotes: Bool = false) -> Expansion {
        Expansion(escape: file.directives.escape, keepsQuotes: keepsQuotes) { state.value($0) }
    }
}
