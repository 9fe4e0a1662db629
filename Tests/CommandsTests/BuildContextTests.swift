internal import Archive
internal import CLinux
internal import Failures
internal import JSON
internal import Linux
internal import Synchronization
internal import Testing

@testable internal import Commands

@Suite("Build context")
struct BuildContextTests {
    /// A directory of the test's own, gone afterwards.
    private func withDirectory(_ files: [String: String], _ body: (String) throws -> Void) throws {
        let root = "/tmp/skiff-context-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        try makeDirectories(root)
        defer { try? removeTree(root) }
        for (name, text) in files {
            let path = "\(root)/\(name)"
            if let slash = path.lastIndex(of: "/") { try makeDirectories(String(path[..<slash])) }
            try writeFile(path, Array(text.utf8))
        }
        try body(root)
    }

    private func bytes(_ context: BuildContext) throws -> [UInt8] {
        let gathered = Mutex<[UInt8]>([])
        try context.send { part in
            let copy = Array(part)
            gathered.withLock { $0 += copy }
        }
        return gathered.withLock { $0 }
    }

    private func entries(_ bytes: [UInt8]) throws -> [String: String] {
        let reader = TarReader(BytesSource(bytes))
        var found: [String: String] = [:]
        while let entry = try reader.next() {
            found[entry.name] =
                entry.kind == .file ? String(decoding: try reader.readAll(limit: 1 << 20), as: UTF8.self) : "/"
        }
        return found
    }

    @Test("holds what is not ignored, and always what the engine reads first")
    func ignored() throws {
        let files = [
            "Dockerfile": "FROM x", ".dockerignore": "*\n!src\nsrc/*.log\n", "src/a": "1", "src/b.log": "2",
            "other": "3",
            "deep/keep": "4",
        ]
        try withDirectory(files) { root in
            let context = try BuildContext(directory: root, file: nil, standardInput: { () throws(Failure) in [] })
            #expect(context.dockerfile == "Dockerfile")
            let found = try entries(bytes(context))
            #expect(found.keys.sorted() == [".dockerignore", "Dockerfile", "src", "src/a"])
            #expect(found["src/a"] == "1")
        }
    }

    @Test("equal trees are equal bytes but for their times, links go along as links")
    func links() throws {
        try withDirectory(["Dockerfile": "FROM x", "b": "2", "a/c": "3"]) { root in
            try makeSymlink("\(root)/link", to: "/etc/passwd")
            let context = try BuildContext(directory: root, file: nil, standardInput: { () throws(Failure) in [] })
            let first = try bytes(context)
            #expect(try bytes(context) == first)
            let reader = TarReader(BytesSource(first))
            var names: [String] = []
            while let entry = try reader.next() {
                names.append(entry.name)
                if entry.name == "link" { #expect(entry.linkTarget == Array("/etc/passwd".utf8)) }
                #expect(entry.uid == 0 && entry.gid == 0)
            }
            #expect(names == ["Dockerfile", "a", "a/c", "b", "link"])
        }
    }

    @Test("a Dockerfile from elsewhere or from standard input is put in")
    func foreign() throws {
        try withDirectory(["ctx/x": "1", "Other": "FROM y"]) { root in
            let outside = try BuildContext(
                directory: "\(root)/ctx", file: "\(root)/Other", standardInput: { () throws(Failure) in [] })
            #expect(try entries(bytes(outside))[outside.dockerfile] == "FROM y")
            let typed = try BuildContext(
                directory: "\(root)/ctx", file: "-", standardInput: { () throws(Failure) in Array("FROM z".utf8) })
            #expect(try entries(bytes(typed))[typed.dockerfile] == "FROM z")
        }
    }

    @Test("a Dockerfile that is not there is named")
    func missing() throws {
        try withDirectory(["x": "1"]) { root in
            for file in [nil, "\(root)/Nope", "/nonexistent/Dockerfile"] {
                let error = #expect(throws: Failure.self) {
                    try BuildContext(directory: root, file: file, standardInput: { () throws(Failure) in [] })
                }
                #expect(error?.message.contains("no such file or directory") == true)
            }
        }
    }

    @Test("an archive is told from a Dockerfile by its beginning")
    func archives() {
        #expect(StandardInputContext.looksLikeArchive([0x1F, 0x8B, 8]))
        #expect(StandardInputContext.looksLikeArchive([UInt8](repeating: 0, count: 257) + Array("ustar\0".utf8)))
        #expect(!StandardInputContext.looksLikeArchive(Array("FROM alpine\n".utf8)))
        #expect(!StandardInputContext.looksLikeArchive([]))
    }
}

@Suite("Logins")
struct ConfigFileTests {
    @Test("are kept beside what else the file holds, found by old spellings, and taken out again")
    func logins() throws {
        let directory = "/tmp/skiff-config-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        defer { try? removeTree(directory) }
        let environment = Environment(["DOCKER_CONFIG": directory])
        try makeDirectories(directory)
        let old = #"{"psFormat":"x","auths":{"https://old.io/v1/":{"auth":"dTpw"}}}"#
        try writeFile("\(directory)/config.json", Array(old.utf8))
        var config = try ConfigFile(environment)
        #expect(config.login(for: "old.io")?.password == "p")
        #expect(config.login(for: "docker.io") == nil)
        var login = ConfigFile.Login(server: ConfigFile.key(for: "docker.io"))
        login.username = "me"
        login.password = "a:b"
        try config.store(login)
        let again = try ConfigFile(environment)
        #expect(again.login(for: "docker.io") == login)
        #expect(again.login(for: "index.docker.io")?.server == "https://index.docker.io/v1/")
        let text = try readText("\(directory)/config.json")
        #expect(text.contains("psFormat") && text.contains("old.io"))
        #expect(try status("\(directory)/config.json").permissions == 0o600)
        var last = again
        #expect(try last.remove("docker.io"))
        #expect(try !last.remove("docker.io"))
        #expect(try ConfigFile(environment).login(for: "docker.io") == nil)
    }

    @Test("a file that is no JSON is named, not overwritten")
    func broken() throws {
        let directory = "/tmp/skiff-config-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        defer { try? removeTree(directory) }
        try makeDirectories(directory)
        try writeFile("\(directory)/config.json", Array("{".utf8))
        #expect(throws: Failure(.invalid, "")) { try ConfigFile(Environment(["DOCKER_CONFIG": directory])) }
    }
}

@Suite("Progress")
struct ProgressTests {
    private func shown(_ messages: [JSON], terminal: Bool) throws -> String {
        let output = Mutex<[UInt8]>([])
        let console = Console(
            input: -1, outputIsTerminal: terminal, errorIsTerminal: false,
            output: { bytes in
                let copy = Array(bytes)
                output.withLock { $0 += copy }
                return true
            }, error: { _ in true })
        var display = ProgressDisplay(console: console)
        for message in messages { try display.show(message) }
        display.finish()
        return String(decoding: output.withLock { $0 }, as: UTF8.self)
    }

    private let messages: [JSON] = [
        ["status": "Pulling from library/alpine", "id": "3"],
        ["status": "Downloading", "id": "aa", "progressDetail": ["current": 5, "total": 10]],
        ["status": "Downloading", "id": "aa", "progressDetail": ["current": 10, "total": 10]],
        ["status": "Pull complete", "id": "aa"],
        ["status": "Status: done"],
    ]

    @Test("without a terminal every step is one line")
    func plain() throws {
        #expect(
            try shown(messages, terminal: false)
                == "3: Pulling from library/alpine\naa: Downloading\naa: Pull complete\nStatus: done\n")
    }

    @Test("on a terminal a layer's line changes in place")
    func inPlace() throws {
        let text = try shown(messages, terminal: true)
        #expect(text.contains("\u{1B}[1A\u{1B}[2K\raa: Pull complete"))
        #expect(text.hasSuffix("Status: done\n"))
    }

    @Test("an error in the stream is an error")
    func errors() {
        let error = #expect(throws: Failure.self) {
            try shown([["errorDetail": ["message": "manifest unknown"], "error": "manifest unknown"]], terminal: false)
        }
        #expect(error?.message == "manifest unknown")
    }

    @Test("the bar grows with what is done")
    func bar() {
        let half = ProgressDisplay.bar(["current": 5_000_000, "total": 10_000_000], width: 120)
        #expect(half == " [\(String(repeating: "=", count: 25))>\(String(repeating: " ", count: 24))]  5MB/10MB")
        #expect(ProgressDisplay.bar(["current": 5_000_000], width: 120) == "  5MB")
        #expect(ProgressDisplay.bar([:], width: 120).isEmpty)
    }
}
