/// Understands one logical line: which instruction, which flags, which arguments.
struct InstructionParser {
    let escape: UInt8

    static let keywords = [
        "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
        "ONBUILD", "RUN",
        "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
    ]

    func parse(_ line: LogicalLine) throws(DockerfileError) -> Instruction {
        do { return try understand(line) } catch { throw error.at(line.range) }
    }

    private func understand(_ line: LogicalLine) throws(SyntaxProblem) -> Instruction {
        let (word, arguments) = line.text.firstWord
        let keyword = word.uppercased()
        let (flags, rest) = Words.flags(arguments)
        var instruction = Instruction(range: line.range, text: line.text.trimmed, operation: .user(""))
        let takesFlags = ["ADD", "COPY", "FROM", "HEALTHCHECK", "RUN", "ONBUILD"].contains(keyword)
        if !takesFlags, Self.keywords.contains(keyword), let flag = flags.first, keyword != "CMD",
            keyword != "ENTRYPOINT", keyword != "SHELL"
        {
            throw SyntaxProblem("unknown flag: \(flag.prefix { $0 != "=" }): \(keyword) takes none")
        }
        switch keyword {
        case "FROM": instruction.operation = .from(try from(flags, rest))
        case "ARG": instruction.operation = .arg(try self.arguments(arguments))
        case "ENV": instruction.operation = .env(try pairs(arguments, keyword))
        case "LABEL": instruction.operation = .label(try pairs(arguments, keyword))
        case "MAINTAINER": instruction.operation = .maintainer(try one(arguments, keyword))
        case "RUN": instruction.operation = .run(try run(flags, rest, line.heredocs))
        case "COPY": instruction.operation = .copy(try copy(flags, rest, line.heredocs, keyword))
        case "ADD": instruction.operation = .add(try copy(flags, rest, line.heredocs, keyword))
        case "CMD": instruction.operation = .cmd(try command(arguments))
        case "ENTRYPOINT": instruction.operation = .entrypoint(try command(arguments))
        case "SHELL": instruction.operation = .shell(try shell(arguments))
        case "WORKDIR": instruction.operation = .workdir(try one(arguments, keyword))
        case "USER": instruction.operation = .user(try one(arguments, keyword))
        case "EXPOSE": instruction.operation = .expose(try atLeastOne(arguments, keyword))
        case "VOLUME": instruction.operation = .volume(try volumes(arguments))
        case "STOPSIGNAL": instruction.operation = .stopSignal(try one(arguments, keyword))
        case "HEALTHCHECK": instruction.operation = .healthcheck(try healthcheck(flags, rest))
        case "ONBUILD": instruction.operation = .onBuild(try trigger(arguments, line))
        default: throw SyntaxProblem("unknown instruction: \(word)\(Spelling.hint(for: keyword, among: Self.keywords))")
        }
        return instruction
    }

    // MARK: Simple arguments

    private func one(_ arguments: String, _ keyword: String) throws(SyntaxProblem) -> String {
        guard !arguments.isEmpty else { throw SyntaxProblem("\(keyword) requires exactly one argument") }
        return arguments
    }

    private func atLeastOne(_ arguments: String, _ keyword: String) throws(SyntaxProblem) -> String {
        guard !arguments.isEmpty else { throw SyntaxProblem("\(keyword) requires at least one argument") }
        return arguments
    }

    private func volumes(_ arguments: String) throws(SyntaxProblem) -> [String] {
        let paths = try Words.jsonStrings(arguments) ?? arguments.fields
        guard !paths.isEmpty else { throw SyntaxProblem("VOLUME requires at least one argument") }
        if paths.contains(where: { $0.trimmed.isEmpty }) {
            throw SyntaxProblem("VOLUME specified can not be an empty string")
        }
        return paths
    }

    func command(_ arguments: String) throws(SyntaxProblem) -> Instruction.Command {
        if let words = try Words.jsonStrings(arguments) { return .exec(words) }
        return arguments.isEmpty ? .exec([]) : .shell(arguments)
    }

    private func shell(_ arguments: String) throws(SyntaxProblem) -> [String] {
        guard let words = try Words.jsonStrings(arguments) else {
            throw SyntaxProblem("SHELL requires the arguments to be in JSON form")
        }
        guard !words.isEmpty else { throw SyntaxProblem("SHELL requires at least one argument") }
        return words
    }

    private func from(_ flags: [String], _ rest: String) throws(SyntaxProblem) -> Instruction.From {
        let set = try FlagSet(flags, known: ["platform"])
        let words = rest.fields
        guard words.count == 1 || words.count == 3 && words[1].uppercased() == "AS" else {
            throw SyntaxProblem("FROM requires either one or three arguments")
        }
        var name: String?
        if words.count == 3 {
            let lowered = words[2].lowercased()
            let valid = lowered.utf8.enumerated().allSatisfy { index, byte in
                ASCII.isLetter(byte) || index > 0 && (ASCII.isDigit(byte) || "-_.".utf8.contains(byte))
            }
            guard valid else {
                throw SyntaxProblem(
                    "invalid name for build stage: \"\(words[2])\", name can't start with a number or contain symbols")
            }
            guard !["context", "scratch"].contains(lowered) else {
                throw SyntaxProblem("stage name \"\(words[2])\" is reserved: choose another")
            }
            name = lowered
        }
        return Instruction.From(image: words[0], stageName: name, platform: set.string("platform"))
    }

    // MARK: Names and values

    private func arguments(_ text: String) throws(SyntaxProblem) -> [Instruction.Argument] {
        let words = Words.split(text, escape: escape)
        guard !words.isEmpty else { throw SyntaxProblem("ARG requires at least one argument") }
        var result: [Instruction.Argument] = []
        for word in words {
            let equals = word.firstIndex(of: "=")
            let name = String(word[..<(equals ?? word.endIndex)])
            guard !name.isEmpty else { throw SyntaxProblem("ARG names can not be blank") }
            result.append(
                Instruction.Argument(name: name, value: equals.map { String(word[word.index(after: $0)...]) }))
        }
        return result
    }

    private func pairs(_ text: String, _ keyword: String) throws(SyntaxProblem) -> [Instruction.Pair] {
        let words = Words.split(text, escape: escape)
        guard let first = words.first else { throw SyntaxProblem("\(keyword) requires at least one argument") }
        guard first.contains("=") else {
            // The old form: one name, and all the rest is its value.
            let (name, value) = text.firstWord
            guard !value.isEmpty else { throw SyntaxProblem("\(keyword) must have two arguments") }
            return [Instruction.Pair(key: name, value: value)]
        }
        var result: [Instruction.Pair] = []
        for word in words {
            guard let equals = word.firstIndex(of: "=") else {
                throw SyntaxProblem("Syntax error - can't find = in \"\(word)\". Must be of the form: name=value")
            }
            guard equals != word.startIndex else { throw SyntaxProblem("\(keyword) names can not be blank") }
            result.append(
                Instruction.Pair(key: String(word[..<equals]), value: String(word[word.index(after: equals)...])))
        }
        return result
    }

    // MARK: ONBUILD

    private func trigger(_ text: String, _ line: LogicalLine) throws(SyntaxProblem) -> Instruction {
        guard !text.isEmpty else { throw SyntaxProblem("ONBUILD requires at least one argument") }
        switch text.firstWord.word.uppercased() {
        case "ONBUILD": throw SyntaxProblem("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
        case "FROM", "MAINTAINER":
            throw SyntaxProblem("\(text.firstWord.word.uppercased()) isn't allowed as an ONBUILD trigger")
        default: return try understand(LogicalLine(range: line.range, text: text, heredocs: line.heredocs))
        }
    }
}
