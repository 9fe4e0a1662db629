internal import EngineClient
internal import Failures
internal import JSON

/// Finds the verb that was typed, runs it, and turns what happens into text and an exit code.
struct Dispatcher {
    let console: Console
    let environment: Environment

    /// - Parameter words: what was typed after the program's name.
    func run(_ words: [String]) -> ExitCode {
        defer { console.flush() }
        if words.first == "__complete" { return complete(Array(words.dropFirst())) }
        let globals: ParsedArguments
        do throws(Failure) {
            globals = try ArgumentParser(options: GlobalOptions.all, stopsAtFirstArgument: true).parse(words)
        } catch {
            console.error(Report.usage(error.message, command: "skiff", usage: "[OPTIONS] COMMAND [ARG...]"))
            return .engine
        }
        if globals[GlobalOptions.version] {
            console.print("Skiff version \(Program.version)")
            return .success
        }
        var environment = environment
        if let directory = globals[GlobalOptions.config] {
            environment = Environment(environment.variables.merging(["SKIFF_CONFIG": directory]) { $1 })
        }
        return descend(globals, environment)
    }

    private func descend(_ globals: ParsedArguments, _ environment: Environment) -> ExitCode {
        var verb = VerbTree.root
        var command = "skiff"
        var rest = globals.arguments[...]
        // `skiff help run` is `skiff run --help`.
        if rest.first == "help" { rest = rest.dropFirst() + ["--help"] }
        while !verb.children.isEmpty {
            guard let word = rest.first else { return help(verb, command) }
            if word == "--help" || word == "-h" { return help(verb, command) }
            guard let child = verb.child(word) else {
                let what = word.hasPrefix("-") ? "unknown flag: \(word)" : "unknown command: \(command) \(word)"
                let text = "skiff: \(what)" + (command == "skiff" ? "" : "\n\nUsage:  \(command)")
                console.error("\(text)\n\nRun '\(command) --help' for more information")
                return .failure
            }
            rest = rest.dropFirst()
            verb = child
            command += " \(word)"
        }
        return run(verb, command, Array(rest), globals, environment)
    }

    private func run(
        _ verb: Verb, _ command: String, _ words: [String], _ globals: ParsedArguments, _ environment: Environment
    ) -> ExitCode {
        let parser = ArgumentParser(options: verb.options, stopsAtFirstArgument: verb.stopsAtFirstArgument)
        let parsed: ParsedArguments
        do throws(Failure) { parsed = try parser.parse(words) } catch {
            console.error(Report.usage(error.message, command: command, usage: verb.usage))
            return .engine
        }
        if parsed.wantsHelp { return help(verb, command) }
        guard verb.arguments.contains(parsed.arguments.count) else {
            let message = "skiff: '\(command)' \(Report.arguments(verb.arguments))"
            console.error(Report.usage(message, command: command, usage: verb.usage))
            return .failure
        }
        let invocation = Invocation(
            command: command, parsed: parsed, console: console, environment: environment,
            connect: { () throws(Failure) in try GlobalOptions.client(globals, environment) })
        do throws(Failure) { return try verb.run?(invocation) ?? .success } catch {
            if let exit = error.cause as? Exit { return exit.code }
            console.error(Report.line(for: error))
            return .failure
        }
    }

    private func help(_ verb: Verb, _ command: String) -> ExitCode {
        var aliases: [String] = []
        let nouns = VerbTree.root.children.filter { noun in
            noun.children.contains { $0.summary == verb.summary && $0.usage == verb.usage }
        }
        if verb.children.isEmpty, let noun = nouns.first,
            let long = noun.children.first(where: { $0.summary == verb.summary })
        {
            let short = VerbTree.root.children.first { $0.children.isEmpty && $0.summary == verb.summary }
            aliases = ["skiff \(noun.name) \(long.name)"] + (short.map { ["skiff \($0.name)"] } ?? [])
        }
        let page = HelpPage(
            command: command, verb: verb, aliases: aliases.count > 1 ? aliases : [],
            globalOptions: command == "skiff" ? GlobalOptions.all : [], width: console.width)
        console.write(page.text)
        return .success
    }

    private func complete(_ words: [String]) -> ExitCode {
        var candidates = CompleteShell.candidates(words)
        if candidates.isEmpty, let kind = CompleteShell.nouns(words),
            let client = try? GlobalOptions.client(ParsedArguments(), environment)
        {
            candidates = names(kind.name, client)
        }
        for candidate in candidates { console.print(candidate) }
        return .success
    }

    /// Names of things of a kind, for completion; an engine that is not there has none.
    private func names(_ kind: String, _ client: EngineClient) -> [String] {
        func list(_ path: String) -> [JSON] {
            let answer = try? client.json(Request(.get, path))
            return answer?.arrayValue ?? answer?["Volumes"]?.arrayValue ?? []
        }
        switch kind {
        case "container":
            return list("/containers/json?all=1").flatMap { $0["Names"]?.arrayValue ?? [] }
                .compactMap(\.stringValue).map { String($0.drop(prefix: "/")) }
        case "image": return list("/images/json").flatMap { $0["RepoTags"]?.arrayValue ?? [] }.compactMap(\.stringValue)
        case "network": return list("/networks").compactMap { $0["Name"]?.stringValue }
        default: return list("/volumes").compactMap { $0["Name"]?.stringValue }
        }
    }
}
