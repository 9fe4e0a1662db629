import CLinux
import Failures
import Linux
import OCI
import Storage
import Testing

@Suite("OverlaySnapshotter", .enabled(if: geteuid() == 0))
struct OverlaySnapshotterTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test("does what every snapshotter does, and leaves nothing")
    func conforms() throws {
        let stores = try Stores(scratch)
        try checkConformance(stores.snapshots)
        #expect(try scratch.names("snapshots") == ["empty"])
    }

    @Test("a mount names short directories, the top one first")
    func namesDirectories() throws {
        let stores = try Stores(scratch)
        try stores.layer("a", on: nil, "f", "1")
        try stores.layer("b", on: "a", "f", "2")
        try stores.snapshots.createWritable("c", parent: "b")
        let mount = try stores.snapshots.mounts("c")
        #expect(mount.base == "\(scratch.path)/snapshots")
        #expect(mount.lower == ["2/fs", "1/fs"])
        #expect(mount.upper == "3/fs")
        #expect(mount.work == "3/work")
    }

    @Test("the root of a mount has the owner and mode that the layer below gives it")
    func inheritsRoot() throws {
        let stores = try Stores(scratch)
        let draft = try stores.snapshots.prepareLayer(parent: nil)
        try setOwner(draft.directory.raw, uid: 12, gid: 34)
        try setMode(draft.directory.raw, 0o1750)
        try draft.commit(as: "a")
        try stores.layer("b", on: "a", "f", "2")
        try stores.snapshots.createWritable("c", parent: "b")
        let view = try stores.snapshots.view("c")
        let status = try status(of: view.raw)
        #expect(status.st_uid == 12 && status.st_gid == 34 && status.permissions == 0o1750)
    }

    @Test("snapshots are there after a restart; drafts that were not committed are gone")
    func survivesRestart() throws {
        do {
            let stores = try Stores(scratch)
            try stores.layer("a", on: nil, "f", "1")
            try stores.snapshots.createWritable("c", parent: "a")
            // Killed here: neither committed nor discarded.
            _ = try stores.snapshots.prepareLayer(parent: "a")
            try stores.metadata.close()
        }
        #expect(try scratch.names("snapshots") == ["1", "2", "3", "empty"])
        let stores = try Stores(scratch)
        #expect(Set(stores.snapshots.all().map(\.key)) == ["a", "c"])
        try stores.snapshots.removeLeftovers()
        #expect(try scratch.names("snapshots") == ["1", "2", "empty"])
        // A number that was in use is not used for something else.
        try stores.layer("b", on: "a", "f", "2")
        #expect(try stores.snapshots.mounts("b").lower.first == "4/fs")
    }

    @Test("a layer whose directory was lost is named, and made again it carries what stands on it")
    func repairsLostLayers() throws {
        do {
            let stores = try Stores(scratch)
            try stores.layer("a", on: nil, "f", "1")
            try stores.layer("b", on: "a", "g", "2")
            try stores.layer("other", on: nil, "f", "3")
            try stores.snapshots.createWritable("c", parent: "b")
            let view = try stores.snapshots.writableView("c")
            try writeFile("mine", Array("x".utf8), at: view.raw)
            try stores.metadata.close()
        }
        try removeTree("\(scratch.path)/snapshots/1")
        let stores = try Stores(scratch)
        let snapshots = stores.snapshots
        try snapshots.removeLeftovers()
        #expect(try scratch.names("snapshots") == ["2", "3", "4", "empty"], "what others wrote is kept")
        #expect(!snapshots.contains("a") && snapshots.contains("b"))
        #expect(try snapshots.lost(below: "c") == ["a"])
        #expect(try snapshots.lost(below: "other").isEmpty)
        let refused = #expect(throws: Failure.self) { _ = try snapshots.view("c") }
        #expect(refused?.message.contains("layer a") == true)
        #expect(throws: Failure.self) { _ = try snapshots.usage("a") }

        try stores.layer("a", on: nil, "f", "1")
        #expect(try snapshots.lost(below: "c").isEmpty)
        let view = try snapshots.view("c")
        #expect(Set(try readDirectory(view.raw).map(\.name.text)) == ["f", "g", "mine"])
        try stores.metadata.close()
        #expect(try Stores(scratch).snapshots.lost(below: "c").isEmpty, "after a restart as well")
    }

    @Test("more layers than Docker allows are refused before a mount is")
    func limitsDepth() throws {
        let stores = try Stores(scratch)
        var parent: String?
        for number in 1...128 {
            try stores.layer("\(number)", on: parent, "f", "\(number)")
            parent = "\(number)"
        }
        let view = try stores.snapshots.view("128")
        let file = try open(in: view.raw, "f", O_RDONLY)
        #expect(try readAll(file.raw) == Array("128".utf8))
        #expect(throws: Failure(.invalid, "")) { _ = try stores.snapshots.prepareLayer(parent: "128") }
    }
}
