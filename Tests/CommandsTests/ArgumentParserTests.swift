internal import Failures
internal import Testing

@testable internal import Commands

@Suite("Argument parser")
struct ArgumentParserTests {
    private static let flag = Option<Bool>.flag("detach", short: "d", "")
    private static let other = Option<Bool>.flag("tty", short: "t", "")
    private static let name = Option<String?>.text("name", short: "n", "")
    private static let list = Option<[String]>.list("env", short: "e", "")
    private static let memory = Option<Int64?>.bytes("memory", short: "m", "")
    private static let parser = ArgumentParser(options: [flag, other, name, list, memory], stopsAtFirstArgument: false)

    @Test("understands every way to write an option")
    func forms() throws {
        let parsed = try Self.parser.parse([
            "-dt", "--name=a=b", "x", "-eA=1", "-e", "B=2", "-e=C=3", "--env", "D", "--memory", "64m", "--", "-y",
            "--z",
        ])
        #expect(parsed[Self.flag] && parsed[Self.other])
        #expect(parsed[Self.name] == "a=b")
        #expect(parsed[Self.list] == ["A=1", "B=2", "C=3", "D"])
        #expect(parsed[Self.memory] == 64 << 20)
        #expect(parsed.arguments == ["x", "-y", "--z"])
    }

    @Test("a flag can be taken back, a value can be a dash, and the last of a single value wins")
    func values() throws {
        let parsed = try Self.parser.parse(["-d", "--detach=false", "-n", "-", "-n", "b", "-"])
        #expect(!parsed[Self.flag])
        #expect(parsed.isGiven(Self.flag) && !parsed.isGiven(Self.other))
        #expect(parsed[Self.name] == "b")
        #expect(parsed.arguments == ["-"])
    }

    @Test("what follows the first argument belongs to the command when the verb says so")
    func stops() throws {
        let parser = ArgumentParser(options: [Self.flag, Self.other], stopsAtFirstArgument: true)
        let parsed = try parser.parse(["-d", "image", "ls", "-t", "--", "-x"])
        #expect(parsed.arguments == ["image", "ls", "-t", "--", "-x"])
        #expect(!parsed[Self.other])
    }

    @Test(
        "says what is wrong in Docker's words",
        arguments: [
            (["--foo"], "unknown flag: --foo"), (["-dx"], "unknown shorthand flag: 'x' in -dx"),
            (["--name"], "flag needs an argument: --name"), (["-n"], "flag needs an argument: 'n' in -n"),
            (["-m", "zz"], "invalid argument \"zz\" for \"-m, --memory\" flag: invalid size: 'zz'"),
            (
                ["--detach=maybe"],
                "invalid argument \"maybe\" for \"-d, --detach\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax"
            ),
        ])
    func failures(words: [String], message: String) {
        let error = #expect(throws: Failure.self) { try Self.parser.parse(words) }
        #expect(error?.message == message)
    }

    @Test("every verb has options that differ, and a help page")
    func tree() {
        func check(_ verb: Verb, _ path: String) {
            let names = verb.options.map(\.name)
            let letters = verb.options.compactMap(\.short)
            #expect(Set(names).count == names.count, "\(path) has an option twice")
            #expect(Set(letters).count == letters.count, "\(path) has a letter twice: \(letters)")
            #expect(HelpPage(command: path, verb: verb).text.contains("Usage:  \(path)"))
            for child in verb.children { check(child, "\(path) \(child.name)") }
        }
        check(VerbTree.root, "skiff")
    }
}
