import DockerfileSyntax
import OCI
import Testing

@testable import Builder

@Suite struct FileTreeTests {
    private func entry(_ path: String, _ target: String? = nil) -> TreeEntry {
        let isDirectory = path.hasSuffix("/")
        var entry = TreeEntry(
            path: TreePath(path), kind: target != nil ? .symlink : isDirectory ? .directory : .file,
            mode: isDirectory ? 0o755 : 0o644)
        if let target { entry.target = Array(target.utf8) }
        entry.hash = Array(path.utf8)
        return entry
    }

    private func tree(_ paths: [String], links: [String: String] = [:]) throws -> FileTree {
        try FileTree(paths.map { entry($0, links[$0]) })
    }

    private func copy(_ sources: [String], _ change: (inout CopyOperation) -> Void = { _ in }) -> CopyOperation {
        var operation = CopyOperation(isAdd: false, sources: sources, destination: "/")
        change(&operation)
        return operation
    }

    @Test(arguments: [
        ("a/b", "a/b"), ("/a//b/", "a/b"), ("./a/./b", "a/b"), ("a/../b", "b"), ("../a", "a"), ("..", ""), ("", ""),
        ("/", ""), (".", ""),
    ])
    func cleansPaths(_ written: String, _ clean: String) { #expect(TreePath(written).text == clean) }

    @Test(arguments: [("../x", true), ("a/../../x", true), ("a/../x", false), ("/..", true), ("./x", false)])
    func seesPathsThatLeave(_ path: String, _ leaves: Bool) { #expect(TreePath.leaves(path) == leaves) }

    @Test func ordersDirectoriesBeforeTheirContentAndThatBeforeTheNextName() throws {
        let paths = ["a-b", "a/x", "a", "a/b/c", "a.b", "b"]
        #expect(paths.map { TreePath($0) }.sorted().map(\.text) == ["a", "a/b/c", "a/x", "a-b", "a.b", "b"])
        let tree = try tree(["a-b", "a/x", "a/b/c", "a.b"])
        // Directories nobody wrote are there.
        #expect(tree.entries.map(\.path.text) == ["", "a", "a/b", "a/b/c", "a/x", "a-b", "a.b"])
        #expect(tree.below(TreePath("a")).map(\.path.text) == ["a/b", "a/b/c", "a/x"])
        #expect(tree.below(TreePath("a-b")).isEmpty)
        #expect(tree.below(.root).count == 6)
        #expect(tree[TreePath("a/b")]?.kind == .directory)
        #expect(tree[TreePath("nothing")] == nil)
    }

    @Test func theLastOfEqualNamesCounts() throws {
        var second = entry("f")
        second.mode = 0o600
        let tree = try FileTree([entry("f"), entry("d/"), second])
        #expect(tree[TreePath("f")]?.mode == 0o600)
        #expect(tree.entries.count == 3)
    }

    @Test func nothingIsBelowAFileOrALink() {
        #expect(throws: SyntaxProblem.self) { try tree(["a", "a/b"]) }
        #expect(throws: SyntaxProblem.self) { try tree(["l", "l/b"], links: ["l": "/etc"]) }
    }

    @Test func followsLinksInsideOnly() throws {
        let tree = try tree(
            ["d/f", "up", "deep", "abs", "round", "climb", "d/back", "dead"],
            links: [
                "up": "d", "deep": "up/f", "abs": "/d/f", "round": "round", "climb": "../../../d/f",
                "d/back": "../d/./f", "dead": "nothing",
            ])
        for path in ["up/f", "deep", "abs", "climb", "d/back", "up/back", "d/../d/f"] {
            #expect(tree.resolve(TreePath(path))?.path.text == "d/f", "\(path)")
        }
        #expect(tree.resolve(TreePath("round")) == nil)
        #expect(tree.resolve(TreePath("dead")) == nil)
        #expect(tree.resolve(TreePath("up"), followLast: false)?.kind == .symlink)
        #expect(tree.resolve(TreePath("d/f/x")) == nil)
    }

    @Test func placesWhatWasChosen() throws {
        let tree = try tree(["f1", "f2", "d/a", "d/s/b", "d/x.o", "l"], links: ["l": "d/a"])
        func placed(_ operation: CopyOperation, at destination: String, isDirectory: Bool) throws -> [String] {
            try CopySelection(operation, in: tree) { _ in false }.placements(
                at: TreePath(destination), isDirectory: isDirectory
            ).map(\.path.text)
        }
        #expect(try placed(copy(["f1"]), at: "x", isDirectory: false) == ["x"])
        #expect(try placed(copy(["f1"]), at: "x", isDirectory: true) == ["x/f1"])
        #expect(try placed(copy(["f*"]), at: "x", isDirectory: true) == ["x/f1", "x/f2"])
        #expect(try placed(copy(["d"]), at: "x", isDirectory: false) == ["x", "x/a", "x/s", "x/s/b", "x/x.o"])
        #expect(try placed(copy(["d/", "l"]), at: "", isDirectory: true) == ["", "a", "s", "s/b", "x.o", "l"])
        #expect(try placed(copy(["d/*"]), at: "x", isDirectory: true) == ["x/a", "x", "x/b", "x/x.o"])
        #expect(
            try placed(copy(["."]) { $0.excludes = ["f*", "**/*.o", "l"] }, at: "x", isDirectory: true) == [
                "x", "x/d", "x/d/a", "x/d/s", "x/d/s/b",
            ])
        #expect(
            try placed(copy(["d/s/b"]) { $0.parents = true }, at: "x", isDirectory: true) == [
                "x/d", "x/d/s", "x/d/s/b",
            ])
        #expect(try placed(copy(["d/./s/b"]) { $0.parents = true }, at: "x", isDirectory: true) == ["x/s", "x/s/b"])
    }

    @Test func digestsContentAndNotTimes() throws {
        func digest(_ change: (inout [TreeEntry]) -> Void, _ operation: CopyOperation? = nil, owners: Bool = false)
            throws -> Digest
        {
            var entries = [entry("d/"), entry("d/a"), entry("d/l", "a"), entry("other")]
            change(&entries)
            return try CopySelection(operation ?? copy(["d"]), in: try FileTree(entries)) { _ in false }.digest(
                keepsOwners: owners)
        }
        let plain = try digest { _ in }
        #expect(try digest { $0[1].seconds = 99 } == plain)
        #expect(try digest { $0[3].hash = [1] } == plain)
        #expect(try digest { $0.reverse() } == plain)
        #expect(try digest { $0[1].user = 7 } == plain)
        #expect(try digest({ $0[1].user = 7 }, owners: true) != (try digest({ _ in }, owners: true)))
        for change: (inout [TreeEntry]) -> Void in [
            { $0[1].hash = [1] }, { $0[1].mode = 0o755 }, { $0[2].target = [98] }, { $0[0].mode = 0o700 },
            { $0.remove(at: 1) },
            { $0[1].attributes = [.init(name: "user.x", value: [1])] },
        ] { #expect(try digest(change) != plain) }
        // A name that is part of another's is no part of its digest.
        #expect(try digest({ _ in }, copy(["d/a"])) != (try digest({ _ in }, copy(["other"]))))
    }
}

@Suite struct UserNamesTests {
    private let names = UserNames(
        passwd: "root:x:0:0:\napp:x:1000:1001::/:/bin/sh\n12:x:5:5\nbroken\n", groups: "root:x:0:\nstaff:x:50:a,b\n")

    @Test(arguments: [
        ("0", 0, 0), ("7", 7, 7), ("7:8", 7, 8), ("app", 1000, 1001), ("app:staff", 1000, 50), ("app:3", 1000, 3),
        ("12", 12, 12), ("app:", 1000, 1001),
        (":staff", 0, 50),
    ])
    func finds(_ text: String, _ user: UInt32, _ group: UInt32) throws {
        #expect(try names.owner(text) == UserNames.Owner(user: user, group: group))
    }

    @Test(arguments: ["nobody", "app:none", "4294967295", "broken", "-1"]) func refuses(_ text: String) {
        #expect(throws: SyntaxProblem.self) { try names.owner(text) }
    }
}

@Suite struct StepSandboxTests {
    @Test func choosesTheNetwork() throws {
        #expect(try StepNetwork(build: nil, step: .default) == .network("bridge"))
        #expect(try StepNetwork(build: "default", step: .default) == .network("bridge"))
        #expect(try StepNetwork(build: "mine", step: .default) == .network("mine"))
        #expect(try StepNetwork(build: "host", step: .default) == .host)
        #expect(try StepNetwork(build: "host", step: .none) == .none)
        #expect(throws: (any Error).self) { try StepNetwork(build: "container:x", step: .default) }
    }

    @Test(arguments: [
        ([], 0), ([0x61], 0), ([0x61, 0xc3], 1), ([0xc3, 0xa4], 0), ([0xe2, 0x82], 2), ([0xe2, 0x82, 0xac], 0),
        ([0xf0, 0x9f, 0x98], 3),
        ([0x80, 0x80, 0x80, 0x80], 0), ([0xff], 1),
    ])
    func cutsNoCharacter(_ bytes: [UInt8], _ held: Int) { #expect(StepOutput.cutCharacter(bytes) == held) }
}
