import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// What is decided for an ordinary user's container, without one.
struct RootlessDecisionTests {
    @Test func aGroupIsMadeBesideTheCallersOrInIt() {
        func parent(_ own: String, delegated: Set<String>) -> String? {
            DelegatedGroup.parent(of: own) { delegated.contains($0) }
        }
        let all: Set<String> = ["/user/app", "/user/app/leaf"]
        #expect(parent("/user/app/leaf", delegated: all) == "/user/app")
        #expect(parent("/user/app/leaf", delegated: ["/user/app/leaf"]) == "/user/app/leaf")
        #expect(parent("/user/app/leaf", delegated: ["/user"]) == nil)
        #expect(parent("/leaf", delegated: [""]) == "")
        #expect(parent("", delegated: [""]) == "")
        #expect(parent("", delegated: []) == nil)
    }

    @Test func theNearestCommonGroupDecides() {
        #expect(DelegatedGroup.commonGroup("/a/b/c", "/a/b/d/e") == "/a/b")
        #expect(DelegatedGroup.commonGroup("/a/b", "/a/b/c") == "/a/b")
        #expect(DelegatedGroup.commonGroup("/a/bc", "/a/b") == "/a")
        #expect(DelegatedGroup.commonGroup("", "/a") == "")
    }

    @Test func aGroupsPathIsFoundByItsHierarchy() {
        let text = "4:memory:/process/one\n3:cpu,cpuacct:/two\n1:name=systemd:/\n0::/three/four\n"
        #expect(DelegatedGroup.ownPath(text, hierarchy: "0::") == "/three/four")
        #expect(DelegatedGroup.ownPath(text, hierarchy: ":memory:") == "/process/one")
        #expect(DelegatedGroup.ownPath(text, hierarchy: ":cpu,cpuacct:") == "/two")
        #expect(DelegatedGroup.ownPath(text, hierarchy: ":name=systemd:") == "")
        #expect(DelegatedGroup.ownPath(text, hierarchy: ":pids:") == "")
    }

    @Test func descendantsAreFoundWhateverTheirNumbers() {
        let parents: [pid_t: pid_t] = [10: 1, 11: 10, 5: 11, 3: 5, 20: 1, 21: 20]
        #expect(ProcessTree.closure(of: [10], parents: parents) == [3, 5, 10, 11])
        #expect(ProcessTree.closure(of: [20, 3], parents: parents) == [3, 20, 21])
    }

    @Test func limitsAreNamedAsTheDocumentDoes() {
        var resources = RuntimeSpec.Resources()
        resources.devices = [.init(allow: false)]
        #expect(resources.limitNames.isEmpty)
        resources.memory.limit = 1
        resources.pidsLimit = 5
        resources.unified = ["memory.high": "1"]
        #expect(resources.limitNames == ["memory", "pids", "unified"])
    }

    @Test func whoIsNotMappedOwnsNothing() throws {
        func owner(_ ranges: [RuntimeSpec.IDMapping]) throws -> uid_t {
            let user = RuntimeSpec.User.numbers(7, 8)
            return UserMappings.owner(by: try UserMappings(uid: ranges, gid: ranges, of: "linux"), else: user).uid
        }
        #expect(try owner([.init(container: 7, host: 60010, size: 1)]) == 7)
        #expect(try owner([.init(container: 7, host: 60010, size: 1), .init(container: 0, host: 1, size: 1)]) == 0)
        #expect(UserMappings.owner(by: nil, else: RuntimeSpec.User.numbers(7, 8)) == (0, 0))
    }

    @Test func aMapIsWrittenByWhoMay() {
        let own = [RuntimeSpec.IDMapping(container: 0, host: 60010, size: 1)]
        let range = own + [.init(container: 1, host: 3_000_000, size: 10)]
        #expect(UserMappings.way(own, own: 60010, privileged: false) == .directWithoutGroups)
        #expect(UserMappings.way(own, own: 60011, privileged: false) == .helper)
        #expect(UserMappings.way(range, own: 60010, privileged: false) == .helper)
        #expect(UserMappings.way(range, own: 60010, privileged: true) == .direct)
    }
}
