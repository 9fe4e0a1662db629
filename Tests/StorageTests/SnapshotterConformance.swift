import CLinux
import Failures
import Linux
import OCI
import Storage
import Testing

/// What every ``Snapshotter`` does; each implementation's suite calls it with an empty one.
func checkConformance(_ snapshotter: any Snapshotter) throws {
    func text(_ key: String, _ name: String) throws -> String? {
        let view = try snapshotter.view(key)
        guard let file = try? open(in: view.raw, name, O_RDONLY) else { return nil }
        return String(decoding: try readAll(file.raw), as: UTF8.self)
    }

    // A layer, and one on it.
    let first = try snapshotter.prepareLayer(parent: nil)
    try writeFile("a", Array("one".utf8), at: first.directory.raw)
    try writeFile("b", Array("one".utf8), at: first.directory.raw)
    #expect(!snapshotter.contains("first"))
    try first.commit(as: "first")
    let second = try snapshotter.prepareLayer(parent: "first")
    try writeFile("a", Array("two".utf8), at: second.directory.raw)
    try second.commit(as: "second")
    #expect(try snapshotter.parent("first") == nil)
    #expect(try snapshotter.parent("second") == "first")
    #expect(try text("first", "a") == "one")
    #expect(try text("second", "a") == "two")
    #expect(try text("second", "b") == "one")

    // A view cannot be written to, and is no mount that stays.
    let before = try readText("/proc/self/mountinfo")
    let view = try snapshotter.view("second")
    #expect(throws: SystemError.self) { try makeDirectory("new", at: view.raw) }
    #expect(try readText("/proc/self/mountinfo") == before)

    // The same layer made twice is one layer.
    let twin = try snapshotter.prepareLayer(parent: "first")
    try twin.commit(as: "second")
    #expect(try text("second", "a") == "two")

    // A layer may learn what it stands on only at the end, and a draft ends once.
    let late = try snapshotter.prepareLayer(parent: nil)
    try writeFile("late", Array("late".utf8), at: late.directory.raw)
    try late.commit(as: "late", parent: "second")
    late.discard()
    #expect(throws: Failure(.internal, "")) { try late.commit(as: "again", parent: nil) }
    #expect(try text("late", "a") == "two")
    #expect(try text("late", "late") == "late")
    #expect(throws: Failure(.notFound, "")) {
        try snapshotter.prepareLayer(parent: nil).commit(as: "lost", parent: "missing")
    }
    try snapshotter.remove("late")

    // A draft that is dropped was never there.
    try snapshotter.prepareLayer(parent: "second").discard()
    #expect(Set(snapshotter.all().map(\.key)) == ["first", "second"])

    // A writable one, written to, looked at, measured.
    try snapshotter.createWritable("box", parent: "second")
    #expect(throws: Failure(.conflict, "")) { try snapshotter.createWritable("box", parent: "second") }
    #expect(throws: Failure(.notFound, "")) { try snapshotter.createWritable("other", parent: "missing") }
    #expect(throws: Failure(.conflict, "")) { try snapshotter.createWritable("other", parent: "box") }
    do {
        let writable = try snapshotter.writableView("box")
        try writeFile("c", Array("three".utf8), at: writable.raw)
        try unlink("b", at: writable.raw)
    }
    #expect(throws: Failure(.conflict, "")) { _ = try snapshotter.writableView("second") }
    #expect(try text("box", "a") == "two")
    #expect(try text("box", "b") == nil)
    #expect(try text("box", "c") == "three")
    #expect(try text("second", "b") == "one")
    #expect(try snapshotter.usage("box").bytes == 5)
    #expect(try snapshotter.mounts("box").isWritable)
    #expect(try !snapshotter.mounts("second").isWritable)
    let changes = try snapshotter.diffDirectory("box")
    #expect(Set(try readDirectory(changes.raw).map(\.name.text)) == ["b", "c"])

    // One above nothing.
    try snapshotter.createWritable("scratch", parent: nil)
    do {
        let writable = try snapshotter.writableView("scratch")
        try writeFile("only", Array("x".utf8), at: writable.raw)
    }
    #expect(try text("scratch", "only") == "x")

    // What it wrote becomes a layer.
    try snapshotter.commitWritable("box", as: "third")
    #expect(!snapshotter.contains("box"))
    #expect(try snapshotter.parent("third") == "second")
    #expect(try text("third", "b") == nil)
    #expect(try text("third", "c") == "three")
    try snapshotter.createWritable("box", parent: "third")
    try snapshotter.commitWritable("box", as: "third")
    #expect(!snapshotter.contains("box"))

    // Nothing goes from under another; what is gone may be removed again.
    #expect(throws: Failure(.conflict, "")) { try snapshotter.remove("first") }
    for key in ["scratch", "third", "second", "first", "first"] { try snapshotter.remove(key) }
    #expect(snapshotter.all().isEmpty)
    #expect(throws: Failure(.notFound, "")) { try snapshotter.mounts("first") }
}
