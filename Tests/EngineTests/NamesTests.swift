import Failures
import Linux
import Testing

@testable import Engine

@Suite struct ContainerNameTests {
    @Test(arguments: ["ab", "web-1", "a.b_c-d", "0x", String(repeating: "a", count: 255)])
    func accepts(name: String) throws {
        #expect(try ContainerName.validated(name) == name)
        #expect(try ContainerName.validated("/" + name) == name)
    }

    @Test(arguments: [
        "", "a", "-ab", ".ab", "a/b", "a b", "ü1", "a:b", "//ab", "../x", "ab\n", String(repeating: "a", count: 256),
    ])
    func refuses(name: String) {
        let error = #expect(throws: Failure.self) { try ContainerName.validated(name) }
        #expect(error?.kind == .invalid)
        #expect(error?.message.contains("only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed") == true)
    }

    @Test func generatesValidNamesThatAreNotTaken() {
        var random = SystemRandomNumberGenerator()
        var taken: Set<String> = []
        for _ in 0..<2000 {
            let name = ContainerName.generated(using: &random) { taken.contains($0) }
            #expect(ContainerName.isValid(name))
            #expect(name.contains("_"))
            #expect(taken.insert(name).inserted)
        }
    }

    @Test func endsEvenWhenEveryPlainNameIsTaken() {
        var random = SystemRandomNumberGenerator()
        let name = ContainerName.generated(using: &random) { $0.last?.isNumber != true }
        #expect(name.last?.isNumber == true)
    }

    @Test func idsAre64HexDigitsThatAreNoNumber() {
        for _ in 0..<200 {
            let id = RandomID.make()
            #expect(id.utf8.count == 64)
            #expect(id.allSatisfy { $0.isHexDigit && !$0.isUppercase })
            #expect(UInt64(id.prefix(12)) == nil)
        }
    }
}

@Suite struct SignalTests {
    @Test(arguments: [
        ("KILL", 9), ("SIGKILL", 9), ("sigterm", 15), ("9", 9), ("15", 15), ("HUP", 1), ("USR2", 12), ("RTMIN", 34),
        ("RTMIN+3", 37),
        ("SIGRTMAX-1", 63), ("RTMAX", 64), ("64", 64), ("winch", 28),
    ])
    func parses(text: String, number: Int) throws {
        #expect(try Signal(parsing: text).number == Int32(number))
    }

    @Test(arguments: [
        "", "SIG", "FOO", "0", "-9", "65", "9 ", "0x9", "RTMIN+31", "RTMAX+1", "RTMIN-1", "RTMIN3", "4294967305",
    ])
    func refuses(text: String) {
        let error = #expect(throws: Failure.self) { try Signal(parsing: text) }
        #expect(error?.message == "invalid signal: \(text)")
    }
}

@Suite struct ContainerIndexTests {
    @Test func aNameIsTakenOnce() throws {
        let index = ContainerIndex()
        try index.reserve("web", for: "a")
        try index.reserve("web", for: "a")
        let error = #expect(throws: Failure.self) { try index.reserve("web", for: "b") }
        #expect(error?.kind == .conflict)
        #expect(
            error?.message
                == "Conflict. The container name \"/web\" is already in use by container \"a\". You have to remove (or rename) that container to be able to reuse that name."
        )
        index.release("web", of: "b")
        #expect(throws: Failure.self) { try index.reserve("web", for: "b") }
        index.release("web", of: "a")
        try index.reserve("web", for: "b")
    }

    @Test func findsByIdNameAndPrefix() throws {
        let index = ContainerIndex()
        let first = try Fixture.container(id: "ab" + String(repeating: "0", count: 62), name: "web")
        let second = try Fixture.container(id: "ab" + String(repeating: "1", count: 62), name: "abc")
        index.insert(first)
        index.insert(second)
        #expect(try index.resolve(first.id) === first)
        #expect(try index.resolve("web") === first)
        #expect(try index.resolve("/web") === first)
        #expect(try index.resolve("ab0") === first)
        // A name that looks like a prefix wins over prefixes.
        #expect(try index.resolve("abc") === second)
        let ambiguous = #expect(throws: Failure.self) { try index.resolve("ab") }
        #expect(ambiguous?.message == "multiple IDs found with provided prefix: ab")
        #expect(ambiguous?.kind == .invalid)
        for missing in ["", "nope", "/", "AB0"] {
            let error = #expect(throws: Failure.self) { try index.resolve(missing) }
            #expect(error?.message == "No such container: \(missing)")
        }
        index.remove(first)
        #expect(throws: Failure.self) { try index.resolve("web") }
        #expect(try index.resolve("ab") === second)
    }
}
