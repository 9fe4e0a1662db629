import Archive
import CLinux
import Failures
import Linux
import Testing

@Suite("Trees")
struct TreeTests {
    @Test("a tree archived and unpacked is the same tree")
    func comesBack() throws {
        let scratch = try Scratch()
        try SystemTarTests.fill(scratch, "from")
        try setAttribute("user.note", Array("kept".utf8), path: "\(scratch.path)/from/big")
        let sink = BytesSink()
        let writer = TarWriter(sink)
        var archiving = TreeArchiver.Options()
        archiving.keepsNanoseconds = true
        archiving.includesRoot = true
        let from = try open("\(scratch.path)/from", O_RDONLY | O_DIRECTORY)
        try TreeArchiver(writer, options: archiving).archive(from.raw)
        try writer.finish()
        let to = try scratch.directory("to")
        _ = try LayerUnpacker(into: to.raw).unpack(BytesSource(sink.bytes))
        #expect(try listing("\(scratch.path)/to") == listing("\(scratch.path)/from"))
        #expect(try listing("\(scratch.path)/to").contains { $0.contains("user.note") })
    }

    @Test("a tree copied is the same tree, and copying again changes nothing")
    func copies() throws {
        let scratch = try Scratch()
        try SystemTarTests.fill(scratch, "from")
        try setAttribute("user.note", Array("kept".utf8), path: "\(scratch.path)/from/etc")
        let from = try open("\(scratch.path)/from", O_RDONLY | O_DIRECTORY)
        let to = try scratch.directory("to")
        var options = TreeCopy.Options()
        options.copiesRoot = true
        try TreeCopy(options: options).copy(from: from.raw, to: to.raw)
        #expect(try listing("\(scratch.path)/to") == listing("\(scratch.path)/from"))
        try TreeCopy(options: options).copy(from: from.raw, to: to.raw)
        #expect(try listing("\(scratch.path)/to") == listing("\(scratch.path)/from"))
        #expect(scratch.status("to")?.permissions == scratch.status("from")?.permissions)
    }

    @Test("one file or one directory is copied under another name")
    func copiesOne() throws {
        let scratch = try Scratch()
        try SystemTarTests.fill(scratch, "from")
        let from = try open("\(scratch.path)/from", O_RDONLY | O_DIRECTORY)
        let to = try scratch.directory("to")
        try TreeCopy().copy("big", in: from.raw, to: "large", in: to.raw)
        try TreeCopy().copy("etc", in: from.raw, to: "settings", in: to.raw)
        #expect(scratch.text("to/large") == scratch.text("from/big"))
        #expect(scratch.text("to/settings/passwd") == "root:x:0:0\n")
        #expect(scratch.status("to/settings/passwd")?.st_nlink == 2)
        #expect(throws: Failure(.notFound, "")) { try TreeCopy().copy("missing", in: from.raw, to: "m", in: to.raw) }
    }

    @Test("a copy writes through a link to a directory only inside the target")
    func staysInside() throws {
        let scratch = try Scratch()
        let from = try scratch.directory("from")
        try makeDirectories("\(scratch.path)/from/lib")
        try makeDirectories("\(scratch.path)/from/out")
        try scratch.write("from/lib/new", "new")
        try scratch.write("from/out/new", "new")
        let to = try scratch.directory("to")
        try makeDirectories("\(scratch.path)/to/usr/lib")
        try makeSymlink("\(scratch.path)/to/lib", to: "usr/lib")
        try makeSymlink("\(scratch.path)/to/out", to: "..")
        try TreeCopy().copy(from: from.raw, to: to.raw)
        #expect(scratch.text("to/usr/lib/new") == "new")
        #expect(scratch.text("new") == nil)
        #expect(scratch.text("to/new") == "new")
    }

    @Test("a file never takes a directory's place")
    func keepsDirectories() throws {
        let scratch = try Scratch()
        let from = try scratch.directory("from")
        let to = try scratch.directory("to")
        try scratch.write("from/a", "file")
        try makeDirectories("\(scratch.path)/to/a/b")
        #expect(throws: Failure(.conflict, "")) { try TreeCopy().copy(from: from.raw, to: to.raw) }
        #expect(scratch.status("to/a/b")?.isDirectory == true)
    }

    @Test("what is not wanted is left out with all below it")
    func leavesOut() throws {
        let scratch = try Scratch()
        try SystemTarTests.fill(scratch, "from")
        let from = try open("\(scratch.path)/from", O_RDONLY | O_DIRECTORY)
        let to = try scratch.directory("to")
        var options = TreeCopy.Options()
        options.includes = { path, _ in path != "etc" }
        options.mode = 0o755
        try TreeCopy(options: options).copy(from: from.raw, to: to.raw)
        #expect(scratch.status("to/etc") == nil)
        #expect(scratch.status("to/big")?.permissions == 0o755)
    }

    @Test("a tree deeper than there are descriptors is removed")
    func removesDeepTrees() throws {
        let scratch = try Scratch()
        var directory = try open(scratch.path, O_RDONLY | O_DIRECTORY)
        for _ in 0..<3000 {
            try makeDirectory("d", at: directory.raw)
            directory = try open("d", O_RDONLY | O_DIRECTORY, at: directory.raw)
        }
        try removeTree("\(scratch.path)/d")
        #expect(scratch.status("d") == nil)
    }

    @Test("removing a link leaves what it points to")
    func removesLinksOnly() throws {
        let scratch = try Scratch()
        try makeDirectories("\(scratch.path)/keep")
        try scratch.write("keep/file", "kept")
        try makeDirectories("\(scratch.path)/gone")
        try makeSymlink("\(scratch.path)/gone/link", to: "../keep")
        try makeSymlink("\(scratch.path)/link", to: "keep")
        try removeTree("\(scratch.path)/gone")
        try removeTree("\(scratch.path)/link")
        try removeTree("\(scratch.path)/never-there")
        #expect(scratch.text("keep/file") == "kept")
    }
}
