import Failures
import OCI
import Testing

@testable import Execution

/// Where a container's group is, by driver and parent.
@Suite struct CgroupPlacementTests {
    @Test(arguments: [
        ("/skiff", "", "/skiff/x"), ("skiff", "", "/skiff/x"), ("/skiff", "/", "/x"), ("/skiff", "a", "/a/x"),
        ("/skiff", "/a/../../b/./c/", "/b/c/x"), ("/", "", "/x"), ("/skiff", "a.slice", "/a.slice/x"),
    ])
    func aPathStaysBelowTheHierarchysRoot(_ parent: String, _ asked: String, _ path: String) throws {
        let group = try CgroupPlacement(.cgroupfs, parent: parent).group(of: "x", below: asked)
        #expect(group == SandboxCgroup(path, by: .cgroupfs))
    }

    @Test(arguments: [
        ("", "system.slice:skiff:x"), ("a-b.slice", "a-b.slice:skiff:x"), ("-.slice", "-.slice:skiff:x"),
        ("a\\x2db@1.2_3.slice", "a\\x2db@1.2_3.slice:skiff:x"),
    ])
    func aScopeLiesInASlice(_ asked: String, _ path: String) throws {
        let group = try CgroupPlacement(.systemd, parent: "system.slice").group(of: "x", below: asked)
        #expect(group == SandboxCgroup(path, by: .systemd))
    }

    @Test(arguments: [
        "/", "/skiff", "skiff", ".slice", "a.scope", "/a.slice", "../a.slice", "a/b.slice", "-a.slice", "a--b.slice",
        "a-.slice", "a b.slice", "a:skiff:b.slice", "a\n.slice", "ä.slice",
        String(repeating: "a", count: 250) + ".slice",
    ])
    func whatIsNoSliceHoldsNoScope(_ parent: String) throws {
        let words = "cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\""
        let own = try CgroupPlacement(.systemd, parent: "system.slice")
        for failure in [
            #expect(throws: Failure.self) { try own.group(of: "x", below: parent) },
            #expect(throws: Failure.self) { try CgroupPlacement(.systemd, parent: parent) },
        ] {
            #expect(failure?.kind == .invalid)
            #expect(failure?.message == words)
        }
    }

    @Test func theDocumentNamesTheGroup() throws {
        let document = try SandboxSpecTests.document { $0.cgroup = SandboxCgroup("a.slice:skiff:x", by: .systemd) }
        #expect(document.linux.cgroupsPath == "a.slice:skiff:x")
    }
}
