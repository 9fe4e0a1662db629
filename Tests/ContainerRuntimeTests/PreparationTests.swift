import CLinux
import Testing

@testable import ContainerRuntime
@testable import Linux

/// What is made ahead of its use.
@Suite struct PreparationTests {
    @Test(.enabled(if: geteuid() == 0, "a network namespace needs root"))
    func aNetworkNamespaceIsMadeBesideItsCaller() throws {
        let before = try status("/proc/thread-self/ns/net", follow: true)
        let underway = try #require(NetworkUnderway.begin())
        let namespace = try underway.finish()
        let (made, after) = (try status(of: namespace.raw), try status("/proc/thread-self/ns/net", follow: true))
        #expect(made.st_ino != before.st_ino)
        #expect(after.st_ino == before.st_ino)
        let addresses = try NetworkNamespace.run(in: namespace.raw) { () throws(SystemError) -> [String] in
            var netlink = try NetlinkSocket()
            return try netlink.addresses().map { "\($0.prefix)" }
        }
        // Addresses of loopback are there once it is up.
        #expect(addresses.contains { $0.hasPrefix("127.0.0.1") }, "\(addresses)")
    }

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
