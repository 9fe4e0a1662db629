/// A Dockerfile, understood: what stands before the first stage, and the stages.
public struct Dockerfile: Hashable, Sendable {
    /// The ARGs before the first FROM, which are known to every FROM.
    public var globals: [Instruction] = []
    public var stages: [Stage] = []
    public var directives = Directives()
    /// Things that work today and should be written otherwise.
    public var warnings: [String] = []

    public struct Stage: Hashable, Sendable {
        public var index: Int
        /// The instruction that begins it, and what that says.
        public var start: Instruction
        public var from: Instruction.From
        /// What follows the FROM.
        public var instructions: [Instruction] = []

        public var name: String? { from.stageName }
    }

    /// The stage called by name or number among the first `limit`; names win, the last of two equal ones too.
    public func stage(_ reference: String, before limit: Int? = nil) -> Int? {
        let candidates = stages.prefix(limit ?? stages.count)
        let wanted = reference.lowercased()
        if let named = candidates.last(where: { $0.name == wanted }) { return named.index }
        guard let number = Int(reference), candidates.indices.contains(number), String(number) == reference else {
            return nil
        }
        return number
    }
}

extension Dockerfile {
    /// Understands a Dockerfile's text.
    ///
    /// - Throws: the first thing that is wrong, with its line.
    public static func parse(_ text: [UInt8]) throws(DockerfileError) -> Dockerfile {
        var lexer = Lexer(text)
        let lines = try lexer.lines()
        var file = Dockerfile()
        file.directives = lexer.directives
        file.warnings = lexer.warnings
        let parser = InstructionParser(escape: lexer.directives.escape)
        for line in lines {
            let instruction = try parser.parse(line)
            if case .from(let from) = instruction.operation {
                file.stages.append(Stage(index: file.stages.count, start: instruction, from: from))
            } else if !file.stages.isEmpty {
                file.stages[file.stages.count - 1].instructions.append(instruction)
            } else if case .arg = instruction.operation {
                file.globals.append(instruction)
            } else {
                throw DockerfileError(
                    line.range, "no build stage in current context: the first instruction must be FROM (or ARG)")
            }
        }
        if file.stages.isEmpty {
            let message = file.globals.isEmpty ? "the file holds no instructions" : "the file holds no FROM"
            throw DockerfileError(SourceRange(line: 1), message)
        }
        return file
    }

    /// Understands the text of an image's ONBUILD line: the instructions a build on that image begins with.
    ///
    /// - Throws: the first thing that is wrong, with its line; also what may not stand in a trigger.
    public static func triggers(_ text: [UInt8]) throws(DockerfileError) -> [Instruction] {
        var lexer = Lexer(text)
        let parser = InstructionParser(escape: ASCII.backslash)
        var result: [Instruction] = []
        for line in try lexer.lines() {
            let instruction = try parser.parse(line)
            switch instruction.operation {
            case .from, .onBuild, .maintainer:
                throw DockerfileError(line.range, "\(instruction.text.firstWord.word) is not allowed there")
            default: result.append(instruction)
            }
        }
        return result
    }
}
