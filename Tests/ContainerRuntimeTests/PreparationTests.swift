import CLinux
import Testing

@testable import ContainerRuntime
@testable import Linux

/// What is made ahead of its use.
@Suite struct PreparationTests {
    @Test func aReplacementIsSeenOnceItIsCommitted() throws {
        let path = "/tmp/skiff-replacement-\(getpid())-\(#line)"
        defer { try? unlink(path) }
        try writeFile(path, Array("old".utf8))
        var replacement = try FileReplacement(path, Array("new".utf8))
        #expect(try readText(path) == "old")
        try replacement.commit()
        #expect(try readText(path) == "new")
        #expect(!exists(path + ".new"))
    }

    @Test func aReplacementThatIsNotCommittedLeavesNothing() throws {
        let path = "/tmp/skiff-replacement-\(getpid())-\(#line)"
        defer { try? unlink(path) }
        func prepareOnly() throws { _ = try FileReplacement(path, Array("new".utf8)) }
        try prepareOnly()
        #expect(!exists(path) && !exists(path + ".new"))
    }

    @Test func aReplacementThatCannotBeWrittenSaysWhere() {
        #expect(throws: SystemError.self) { try replaceFile("/proc/none/state.json", [1]) }
    }
}
