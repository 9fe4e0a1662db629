import Linux
import Testing

@testable import ContainerRuntime

/// Fields of a text, which states, tables of mounts and accounts are read by.
@Suite struct FieldsTests {
    private func all(_ text: String, in range: Range<Int>? = nil) -> [String] {
        var fields = Fields(Array(text.utf8), in: range, separatedBy: UInt8(ascii: ":"))
        var found: [String] = []
        while let field = fields.text() { found.append(field) }
        return found
    }

    @Test func emptyOnesAreThere() {
        #expect(all("a:bc::d:") == ["a", "bc", "", "d", ""])
        #expect(all("") == [""])
        #expect(all(":") == ["", ""])
        #expect(all("none") == ["none"])
    }

    @Test func aPartIsGoneThroughAlone() {
        #expect(all("ab:cd:ef", in: 1..<4) == ["b", "c"])
        #expect(all("ab:cd:ef", in: 3..<3) == [""])
        let bytes = Array("x a,b y".utf8)
        var words = Fields(bytes, separatedBy: UInt8(ascii: " "))
        _ = words.next()
        var inner = words.next().map { words.part($0, separatedBy: UInt8(ascii: ",")) }
        #expect(inner?.text() == "a" && inner?.text() == "b" && inner?.text() == nil)
        #expect(words.text() == "y" && words.next() == nil && words.next() == nil)
    }

    /// Field 22 of a process's own line, whatever its name holds.
    @Test func aProcessesStartIsTheKernels() throws {
        let own = try readText("/proc/self/stat")
        let behind = own[own.index(after: try #require(own.lastIndex(of: ")")))...]
        let started = try #require(processStartTime(processNumber()))
        #expect(behind.split(separator: " ")[19] == "\(started)")
        #expect(processStartTime(0) == nil && processStartTime(-1) == nil)
    }

    @Test(arguments: [
        ("/a/b", "/a/b"), ("a//b/./c/", "/a/b/c"), ("/a/../../b", "/b"), ("", "/"), ("/..", "/"), (".", "/"),
    ])
    func aPathIsMadeClean(path: String, clean: String) { #expect(path.cleanPath == clean) }
}
