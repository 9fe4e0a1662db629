internal import DockerfileSyntax

/// Which stages a build needs, what each begins with, and which images that takes: known before anything is fetched.
struct StageSelection: Hashable, Sendable {
    enum Base: Hashable, Sendable {
        case scratch
        case stage(Int)
        case image(ImageNeed)
    }

    /// An image to have, for a platform; `nil` is the build's.
    struct ImageNeed: Hashable, Sendable {
        var reference: String
        var platform: String?
    }

    let target: Int
    /// By number, the target included.
    private(set) var needed: [Int] = []
    private(set) var bases: [Int: Base] = [:]
    /// The ARGs before the first FROM, with their values.
    let globals: [String: String]
    /// Build arguments that some ARG asked for so far.
    private(set) var consumed: Set<String> = []

    /// - Parameter target: a stage's name or number; empty or `nil` is the last.
    init(_ file: Dockerfile, target: String?, arguments: BuildArguments) throws(DockerfileError) {
        var globals: [String: String] = [:]
        var consumed: Set<String> = []
        for instruction in file.globals {
            guard case .arg(let declared) = instruction.operation else { continue }
            for argument in declared {
                consumed.insert(argument.name)
                let rules = Expansion(escape: file.directives.escape) { globals[$0] ?? arguments.platform[$0] }
                do throws(SyntaxProblem) {
                    let preset = try argument.value.map { value throws(SyntaxProblem) in try rules.word(value) }
                    if let value = arguments[argument.name] ?? preset { globals[argument.name] = value }
                } catch { throw error.at(instruction.range) }
            }
        }
        self.globals = globals
        if let target, !target.isEmpty {
            guard let index = file.stage(target) else {
                let names = file.stages.compactMap(\.name)
                let hint = Spelling.hint(for: target.lowercased(), among: names)
                throw DockerfileError("target stage \"\(target)\" could not be found\(hint)")
            }
            self.target = index
        } else {
            self.target = file.stages.count - 1
        }
        self.consumed = consumed
        var queue = [self.target]
        var needed: Set<Int> = []
        while let index = queue.popLast() {
            guard needed.insert(index).inserted else { continue }
            let stage = file.stages[index]
            let base = try Self.base(of: stage, in: file, globals, arguments)
            bases[index] = base
            if case .stage(let other) = base { queue.append(other) }
            for (name, range) in Self.references(in: stage) {
                if let other = try Self.source(name, for: index, in: file, range) { queue.append(other) }
            }
        }
        self.needed = needed.sorted()
    }

    /// Every image there must be, those of COPY --from included.
    func images(_ file: Dockerfile) -> Set<ImageNeed> {
        var needs: Set<ImageNeed> = []
        for index in needed {
            if case .image(let need) = bases[index] { needs.insert(need) }
            for (name, _) in Self.references(in: file.stages[index]) where file.stage(name, before: index) == nil {
                needs.insert(ImageNeed(reference: name, platform: nil))
            }
        }
        return needs
    }

    /// How many steps a build tells of: triggers of a base image are told of under its FROM.
    func total(_ file: Dockerfile) -> Int {
        needed.reduce(file.globals.count) { $0 + 1 + file.stages[$1].instructions.count }
    }

    /// The steps up to the first FROM, which can be told of before any image is there.
    func opening(_ file: Dockerfile) -> [BuildEvent] {
        let first = needed.first.map { [file.stages[$0].start] } ?? []
        let total = total(file)
        return (file.globals + first).enumerated().map { index, instruction in
            .step(number: index + 1, total: total, text: instruction.text)
        }
    }

    /// The stage a `from` means, or `nil` when it must be an image.
    static func source(
        _ name: String, for index: Int, in file: Dockerfile, _ range: SourceRange
    ) throws(DockerfileError) -> Int? {
        if let stage = file.stage(name, before: index) { return stage }
        if let later = file.stage(name) {
            let what = later == index ? "the stage it is in" : "a stage that comes later"
            throw DockerfileError(range, "invalid from flag value \(name): it names \(what)")
        }
        return nil
    }

    private static func base(
        of stage: Dockerfile.Stage, in file: Dockerfile, _ globals: [String: String], _ arguments: BuildArguments
    ) throws(DockerfileError) -> Base {
        let rules = Expansion(escape: file.directives.escape) { globals[$0] ?? arguments.platform[$0] }
        do throws(SyntaxProblem) {
            let name = try rules.word(stage.from.image)
            guard !name.isEmpty else { throw SyntaxProblem("base name (\(stage.from.image)) should not be blank") }
            let platform = try stage.from.platform.map { text throws(SyntaxProblem) in try rules.word(text) }
            if name == "scratch" { return .scratch }
            let earlier = file.stages.prefix(stage.index).last { $0.name == name.lowercased() }
            if let earlier { return .stage(earlier.index) }
            return .image(ImageNeed(reference: name, platform: platform.flatMap { $0.isEmpty ? nil : $0 }))
        } catch { throw error.at(stage.start.range) }
    }

    /// What a stage copies or mounts from.
    private static func references(in stage: Dockerfile.Stage) -> [(name: String, range: SourceRange)] {
        stage.instructions.flatMap { instruction -> [(name: String, range: SourceRange)] in
            switch instruction.operation {
            case .copy(let copy): return copy.from.map { [($0, instruction.range)] } ?? []
            case .run(let run): return run.mounts.compactMap(\.from).map { ($0, instruction.range) }
            default: return []
            }
        }
    }
}
