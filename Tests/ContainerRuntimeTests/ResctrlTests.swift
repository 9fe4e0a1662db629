import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Where the processor has no resctrl an ordinary folder shows which directories are made, what is written, and what goes.
///
/// What a folder cannot show is what the kernel answers: its files there are made by hand.
@Suite struct ResctrlTests {
    private let root: String

    init() throws {
        root = "/tmp/skiff-resctrl-\(UInt32.random(in: 0...UInt32.max))"
        try makeDirectories(root)
    }

    private func end() { try? removeTree(root) }

    private func settings(_ change: (inout RuntimeSpec.IntelRDT) -> Void) -> RuntimeSpec.IntelRDT {
        var settings = RuntimeSpec.IntelRDT()
        change(&settings)
        return settings
    }

    private func addGroup(_ name: String, schemata: String) throws {
        try makeDirectories("\(root)/\(name)/mon_groups")
        try writeFile("\(root)/\(name)/schemata", Array(schemata.utf8))
        try writeFile("\(root)/\(name)/tasks", [])
    }

    @Test func linesAreWrittenInTheDocumentsOrder() {
        defer { end() }
        #expect(
            ResctrlSchemata.lines(
                l3Cache: "L3:0=f;1=f0\nMB:0=10\n", memoryBandwidth: "MB:0=20", [" L2:0=3 ", ""])
                == ["L3:0=f;1=f0", "MB:0=20", "L2:0=3"])
    }

    @Test func aSchemaIsPartOfAnotherByItsValues() {
        defer { end() }
        let present = ResctrlSchemata(["    L3:0=00fff;1=f", "    MB:0= 70;1=100"])
        #expect(ResctrlSchemata(["L3:0=FFF"]).isPart(of: present))
        #expect(ResctrlSchemata(["MB:00=70"]).isPart(of: present))
        #expect(!ResctrlSchemata(["L3:0=ff"]).isPart(of: present))
        #expect(!ResctrlSchemata(["L3:2=f"]).isPart(of: present))
        #expect(!ResctrlSchemata(["L2:0=f"]).isPart(of: present))
    }

    @Test func theFileSystemIsFoundInTheMountTable() {
        defer { end() }
        let table =
            "24 1 254:0 / / rw - ext4 /dev/vda rw\n40 25 0:33 / /sys/fs/resctrl rw shared:7 - resctrl resctrl rw\n"
        #expect(ResctrlGroup.root(mountTable: table) == "/sys/fs/resctrl")
        #expect(ResctrlGroup.root(mountTable: "24 1 254:0 / /resctrl rw - ext4 resctrl rw\n") == nil)
    }

    @Test func aGroupThatIsThereIsTakenAndStays() throws {
        defer { end() }
        try addGroup("gold", schemata: "L3:0=fff;1=fff\nMB:0=100\n")
        let group = try ResctrlGroup(
            settings {
                ($0.classID, $0.l3CacheSchema, $0.monitors) = ("gold", "L3:0=fff", true)
            }, id: "box", below: root)
        #expect(!group.isOwn)
        #expect(exists("\(root)/gold/mon_groups/box"))
        #expect(ResctrlGroup(json: group.json) == group)
        #expect(throws: RuntimeFailure.self) { try group.update(l3Cache: "L3:0=1", memoryBandwidth: nil) }
        try group.delete()
        #expect(!exists("\(root)/gold/mon_groups/box"))
        #expect(exists("\(root)/gold/schemata"))
        try group.delete()
    }

    @Test func aGroupWithAnotherSchemaIsRefused() throws {
        defer { end() }
        try addGroup("gold", schemata: "L3:0=fff;1=fff\n")
        let failure = #expect(throws: RuntimeFailure.self) {
            try ResctrlGroup(settings { ($0.classID, $0.schemata) = ("gold", ["L3:0=f"]) }, id: "box", below: root)
        }
        #expect(failure?.description.contains("L3:0=f") == true)
    }

    @Test func aNamedGroupIsNotMadeWithoutASchema() throws {
        defer { end() }
        let failure = #expect(throws: RuntimeFailure.self) {
            try ResctrlGroup(settings { $0.classID = "gold" }, id: "box", below: root)
        }
        #expect(failure?.description.contains("\(root)/gold") == true)
        #expect(!exists("\(root)/gold"))
    }

    @Test func anOwnGroupHasTheContainersNameAndGoesWithIt() throws {
        defer { end() }
        let group = try ResctrlGroup(RuntimeSpec.IntelRDT(), id: "box", below: root)
        #expect(group.isOwn)
        #expect(group.path == "\(root)/box")
        #expect(exists("\(root)/box"))
        try group.delete()
        #expect(!exists("\(root)/box"))
    }

    /// An ordinary folder has no `schemata`: what the kernel refuses looks the same.
    @Test func aSchemaThatIsRefusedLeavesNoGroupAndSaysTheKernelsCause() throws {
        defer { end() }
        try makeDirectories(root + "/info")
        try writeFile(root + "/info/last_cmd_status", Array("Unknown or unsupported resource name 'L9'\n".utf8))
        let failure = #expect(throws: RuntimeFailure.self) {
            try ResctrlGroup(settings { $0.schemata = ["L9:0=f"] }, id: "box", below: root)
        }
        #expect(failure?.description.contains("unsupported resource name 'L9'") == true)
        #expect(!exists("\(root)/box"))
    }

    @Test(arguments: ["", ".", "..", "a/b", "../x", "info", "mon_groups", "mon_data"])
    func aNameThatIsNoGroupsIsRefused(_ name: String) throws {
        defer { end() }
        #expect(throws: RuntimeFailure.self) {
            try ResctrlGroup(settings { ($0.classID, $0.schemata) = (name, ["L3:0=f"]) }, id: "box", below: root)
        }
    }

    @Test func theRootGroupIsNamedByASlash() throws {
        defer { end() }
        try writeFile(root + "/schemata", Array("L3:0=fff\n".utf8))
        try writeFile(root + "/tasks", [])
        let group = try ResctrlGroup(settings { $0.classID = "/" }, id: "box", below: root)
        #expect(group.path == root)
        #expect(!group.isOwn)
        #expect(try group.tasks().count == 1)
        try group.delete()
        #expect(exists(root + "/schemata"))
    }
}
