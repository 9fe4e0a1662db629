import Archive
import CLinux
import Linux
import Testing

/// What other people's tar writes we read, and the other way round.
@Suite("The system's tar", .enabled(if: runPeer(["tar", "--version"]) == 0))
struct SystemTarTests {
    /// A tree with everything a user may make.
    static func fill(_ scratch: Scratch, _ name: String) throws {
        let root = "\(scratch.path)/\(name)"
        try makeDirectories("\(root)/etc/sub")
        try scratch.write("\(name)/etc/passwd", "root:x:0:0\n", mode: 0o640)
        try scratch.write("\(name)/etc/empty", "", mode: 0o4711)
        try scratch.write("\(name)/etc/sub/\(String(repeating: "long", count: 60))", "long name", mode: 0o600)
        try scratch.write("\(name)/etc/sub/größe", "umlaut")
        try scratch.write("\(name)/big", String(repeating: "0123456789abcdef", count: 100_000))
        let deep = String(repeating: "directory-of-some-length/", count: 12)
        try makeDirectories("\(root)/\(deep)")
        try scratch.write("\(name)/\(deep)file", "deep")
        try makeSymlink("\(root)/link", to: "etc/passwd")
        try makeSymlink("\(root)/dangling", to: String(repeating: "/nowhere", count: 30))
        try check("link") { link("\(root)/etc/passwd", "\(root)/etc/passwd-") }
        try check("mkfifo") { mkfifo("\(root)/fifo", 0o620) }
        try setTimesEntry("\(root)/big", seconds: 1_000_000_000, nanoseconds: 0, at: Directory.working)
        try setTimesEntry("\(root)/etc", seconds: 1_100_000_000, nanoseconds: 0, at: Directory.working)
        if geteuid() == 0 {
            try check("chown") { lchown("\(root)/link", 12, 34) }
            try check("chown") { chown("\(root)/etc/sub", 3_000_000, 33) }
            try check("mknod") { mknod("\(root)/null", mode_t(S_IFCHR) | 0o666, skiff_makedev(1, 3)) }
        }
    }

    static func unpack(_ archive: String, into scratch: Scratch, _ name: String) throws {
        let root = try scratch.directory(name)
        var options = LayerUnpacker.Options()
        options.whiteouts = .ordinary
        _ = try LayerUnpacker(into: root.raw, options: options).unpack(DescriptorSource(try open(archive, O_RDONLY)))
    }

    @Test("we make the same tree of it", arguments: ["gnu", "posix", "ustar", "pax-gzip"])
    func reads(format: String) throws {
        let scratch = try Scratch()
        try Self.fill(scratch, "from")
        if format == "ustar" {
            // What the old format cannot hold.
            try removeTree("\(scratch.path)/from/etc/sub")
            try removeTree("\(scratch.path)/from/dangling")
            try removeTree("\(scratch.path)/from/directory-of-some-length")
        }
        let archive = "\(scratch.path)/a.tar"
        let flags = format == "pax-gzip" ? ["--format=pax", "-z"] : ["--format=\(format)"]
        try #require(runPeer(["tar", "-C", "\(scratch.path)/from", "-cf", archive] + flags + ["."]) == 0)
        try Self.unpack(archive, into: scratch, "to")
        let nanoseconds = format.hasPrefix("p")
        #expect(
            try listing("\(scratch.path)/to", nanoseconds: nanoseconds)
                == listing("\(scratch.path)/from", nanoseconds: nanoseconds))
        let from = try #require(scratch.status("from"))
        let to = try #require(scratch.status("to"))
        #expect(from.permissions == to.permissions && from.st_mtim.tv_sec == to.st_mtim.tv_sec)
    }

    @Test("it makes the same tree of ours", arguments: [Compression.none, .gzip, .zstd])
    func writes(compression: Compression) throws {
        if compression == .zstd, runPeer(["zstd", "--version"]) != 0 { return }
        let scratch = try Scratch()
        try Self.fill(scratch, "from")
        let archive = "\(scratch.path)/a.tar"
        let sink = try Compressor(compression, to: DescriptorSink(try open(archive, O_WRONLY | O_CREAT, mode: 0o600)))
        let writer = TarWriter(sink)
        var options = TreeArchiver.Options()
        options.keepsNanoseconds = true
        let from = try open("\(scratch.path)/from", O_RDONLY | O_DIRECTORY)
        try TreeArchiver(writer, options: options).archive(from.raw)
        try writer.finish()
        try sink.finish()
        _ = try scratch.directory("to")
        try #require(runPeer(["tar", "-C", "\(scratch.path)/to", "-xpf", archive]) == 0)
        #expect(try listing("\(scratch.path)/to") == listing("\(scratch.path)/from"))
    }
}
