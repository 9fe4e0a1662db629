import Archive
import CLinux
import Failures
import Linux
import Testing

/// Layers as overlayfs keeps them: needs the right to make devices and trusted attributes.
@Suite("Layers", .enabled(if: geteuid() == 0))
struct LayerTests {
    private static func file(_ name: String, _ content: String = "") -> (TarEntry, String) {
        (TarEntry(.file, name, mode: 0o644), content)
    }
    private static func directory(_ name: String) -> (TarEntry, String) {
        (TarEntry(.directory, name, mode: 0o755), "")
    }

    private func unpack(_ entries: [(TarEntry, String)]) throws -> Scratch {
        let scratch = try Scratch()
        let root = try scratch.directory("fs")
        _ = try LayerUnpacker(into: root.raw).unpack(BytesSource(try HostileTarTests.tar(entries)))
        return scratch
    }

    private func isWhiteout(_ scratch: Scratch, _ name: String) -> Bool {
        guard let status = scratch.status("fs/\(name)") else { return false }
        return status.isCharacterDevice && status.st_rdev == 0
    }

    private func isOpaque(_ scratch: Scratch, _ name: String) throws -> Bool {
        try attribute("trusted.overlay.opaque", path: "\(scratch.path)/fs/\(name)") == Array("y".utf8)
    }

    @Test("whiteout names become overlayfs's marks")
    func convertsWhiteouts() throws {
        let scratch = try unpack([
            Self.file(".wh.top"), Self.directory("d"), Self.file("d/.wh.gone"), Self.directory("o"),
            Self.file("o/.wh..wh..opq"),
            Self.file("o/new", "new"), Self.file("implied/.wh.x"), Self.file(".wh..wh.plnk/1.2", "aufs"),
            Self.file(".wh..wh.aufs"),
        ])
        #expect(isWhiteout(scratch, "top") && isWhiteout(scratch, "d/gone") && isWhiteout(scratch, "implied/x"))
        #expect(try isOpaque(scratch, "o") && !isOpaque(scratch, "d"))
        #expect(scratch.text("fs/o/new") == "new")
        #expect(try listing("\(scratch.path)/fs").allSatisfy { !$0.contains(".wh.") })
    }

    @Test("a whiteout and an entry of one name: the entry stays, and hides what is below")
    func keepsOwnEntries() throws {
        let before = try unpack([
            Self.file(".wh.f"), Self.file("f", "new"), Self.file(".wh.d"), Self.directory("d"), Self.file("d/x", "x"),
        ])
        let after = try unpack([
            Self.file("f", "new"), Self.file(".wh.f"), Self.directory("d"), Self.file("d/x", "x"), Self.file(".wh.d"),
        ])
        for scratch in [before, after] {
            #expect(scratch.text("fs/f") == "new")
            #expect(scratch.text("fs/d/x") == "x")
            #expect(try isOpaque(scratch, "d"))
        }
    }

    @Test("a device or attribute that would steer the overlay is not taken from an archive")
    func refusesSmuggledMarks() throws {
        let scratch = try Scratch()
        let root = try scratch.directory("fs")
        let device = TarEntry(kind: .characterDevice, path: Array("etc".utf8), mode: 0, deviceMajor: 0, deviceMinor: 0)
        #expect(throws: Failure(.invalid, "")) {
            try LayerUnpacker(into: root.raw).unpack(BytesSource(try HostileTarTests.tar([(device, "")])))
        }
        var directory = TarEntry(.directory, "d", mode: 0o755)
        directory.attributes = [
            TarEntry.Attribute(name: "trusted.overlay.redirect", value: Array("/etc".utf8)),
            TarEntry.Attribute(name: "trusted.overlay.opaque", value: [0x79]),
            TarEntry.Attribute(name: "user.overlay.opaque", value: [0x79]),
            TarEntry.Attribute(name: "security.selinux", value: [0x79]),
            TarEntry.Attribute(name: "user.kept", value: [1]),
        ]
        _ = try LayerUnpacker(into: root.raw).unpack(BytesSource(try HostileTarTests.tar([(directory, "")])))
        #expect(try attributeNames(path: "\(scratch.path)/fs/d") == ["user.kept"])
    }

    @Test("an upper directory written as a layer and unpacked is the same upper directory")
    func comesBack() throws {
        let scratch = try unpack([
            Self.directory("d"), Self.file("d/.wh.gone"), Self.file("d/kept", "kept"), Self.directory("o"),
            Self.file("o/.wh..wh..opq"), Self.file("f", "f"),
        ])
        let sink = BytesSink()
        let writer = TarWriter(sink)
        var options = TreeArchiver.Options()
        options.whiteouts = .layer
        let upper = try open("\(scratch.path)/fs", O_RDONLY | O_DIRECTORY)
        try TreeArchiver(writer, options: options).archive(upper.raw)
        try writer.finish()
        var names: [String] = []
        let reader = TarReader(BytesSource(sink.bytes))
        while let entry = try reader.next() { names.append(entry.name) }
        #expect(names == ["d", "d/.wh.gone", "d/kept", "f", "o", "o/.wh..wh..opq"])
        let again = try scratch.directory("again")
        _ = try LayerUnpacker(into: again.raw).unpack(BytesSource(sink.bytes))
        #expect(
            try listing("\(scratch.path)/again", nanoseconds: false)
                == listing("\(scratch.path)/fs", nanoseconds: false))
    }

    @Test("marks remove where layers are applied in place")
    func appliesInPlace() throws {
        let scratch = try Scratch()
        let root = try scratch.directory("fs")
        try makeDirectories("\(scratch.path)/fs/d/sub")
        try scratch.write("fs/d/old", "old")
        try scratch.write("fs/f", "f")
        var options = LayerUnpacker.Options()
        options.whiteouts = .remove
        let bytes = try HostileTarTests.tar([
            Self.file(".wh.f"), Self.file("d/.wh..wh..opq"), Self.file("d/new", "new"),
        ])
        _ = try LayerUnpacker(into: root.raw, options: options).unpack(BytesSource(bytes))
        #expect(scratch.text("fs/f") == nil && scratch.text("fs/d/old") == nil && scratch.status("fs/d/sub") == nil)
        #expect(scratch.text("fs/d/new") == "new")
    }
}

/// Overlays for readers, both ways a kernel can make them.
@Suite("OverlayView", .enabled(if: geteuid() == 0))
struct OverlayViewTests {
    private func mountCount() throws -> Int { try readText("/proc/self/mountinfo").split(separator: "\n").count }

    @Test("shows merged layers and leaves no mount", arguments: OverlayView.Method.allCases)
    func shows(method: OverlayView.Method) throws {
        let scratch = try Scratch()
        for layer in ["1/fs", "2/fs", "3/fs", "3/work"] { try makeDirectories("\(scratch.path)/\(layer)") }
        try scratch.write("1/fs/a", "lower")
        try scratch.write("1/fs/b", "gone")
        try scratch.write("2/fs/a", "upper")
        try check("mknod") { mknod("\(scratch.path)/2/fs/b", mode_t(S_IFCHR), 0) }
        let before = try mountCount()
        let view = try OverlayView(base: scratch.path, lower: ["2/fs", "1/fs"]).open(method)
        #expect(try readDirectory(view.raw).map(\.name.text) == ["a"])
        let file = try open(in: view.raw, "/a", O_RDONLY)
        #expect(try readAll(file.raw) == Array("upper".utf8))
        #expect(throws: SystemError.self) { try makeDirectory("new", at: view.raw) }

        let writable = try OverlayView(base: scratch.path, lower: ["2/fs", "1/fs"], upper: "3/fs", work: "3/work").open(
            method)
        try makeDirectory("new", at: writable.raw)
        try unlink("a", at: writable.raw)
        #expect(exists("\(scratch.path)/3/fs/new"))
        #expect(scratch.status("3/fs/a")?.isCharacterDevice == true)
        #expect(try mountCount() == before)
    }

    @Test("shows one directory alone, read-only")
    func showsOne() throws {
        let scratch = try Scratch()
        try makeDirectories("\(scratch.path)/1/fs")
        try scratch.write("1/fs/a", "a")
        let view = try OverlayView(base: scratch.path, lower: ["1/fs"]).open()
        #expect(try readDirectory(view.raw).count == 1)
        do {
            try makeDirectory("new", at: view.raw)
            Issue.record("the view could be written to")
        } catch { #expect(error.errno == EROFS) }
    }

    @Test("shows a path longer than one mount parameter")
    func showsLongPaths() throws {
        let scratch = try Scratch()
        let base = "\(scratch.path)/" + String(repeating: "n", count: 250)
        try makeDirectories("\(base)/1/fs")
        try makeDirectories("\(base)/2/fs")
        let view = try OverlayView(base: base, lower: ["2/fs", "1/fs"]).open()
        #expect(try readDirectory(view.raw).isEmpty)
    }
}
