import Testing

@testable import DockerfileSyntax

@Suite struct DockerignoreTests {
    @Test(arguments: [
        ("*.md", "a.md", true), ("*.md", "d/a.md", false), ("**/*.md", "a.md", true), ("**/*.md", "d/e/a.md", true),
        ("d", "d/e/f", true),
        ("d/", "d/e", true), ("/d", "d", true), ("./d", "d", true), ("d/../e", "e", true), ("*", "a/b", true),
        ("*/*", "a", false),
        ("*/*", "a/b/c", true), ("a?", "ab", true), ("a?", "a/", false), ("[a-c]x", "bx", true),
        ("[^a-c]x", "bx", false),
        ("[^a-c]x", "zx", true), ("**", "a/b", true), ("a/**", "a/b/c", true), ("a/**", "a", false),
        ("**/a/**/z", "x/a/b/c/z", true),
        ("**/a/**/z", "a/z", true), ("a/**/z", "a/b/cz", false), ("\\*", "*", true), ("\\*", "a", false),
        ("ä*", "äb", true), ("?x", "äx", true),
        (".", "a", false), ("../a", "a", true), ("node_modules", "node_modules/x/y", true),
        ("/build/", "build/x", true),
        ("a*b*c", "aXbYc", true), ("a?c", "ac", false), ("a**z", "abc/z", true), ("foo", "foobar", false),
        ("x/y", "x", false),
    ])
    func matches(_ pattern: String, _ path: String, _ excluded: Bool) throws {
        #expect(try Dockerignore(patterns: [pattern]).excludes(path) == excluded, "\(pattern) \(path)")
    }

    @Test func theLastMatchDecides() throws {
        let ignore = try Dockerignore(
            Array("# comment\n*.md\n!README*.md\nREADME-secret.md\n\n  d  \n!d/keep\r\n".utf8))
        #expect(ignore.excludes("a.md"))
        #expect(!ignore.excludes("README.md"))
        #expect(ignore.excludes("README-secret.md"))
        #expect(ignore.excludes("d/x"))
        #expect(!ignore.excludes("d/keep"))
        #expect(!ignore.excludes("d/keep/deep"))
    }

    @Test(arguments: ["[", "a[", "[]a]", "[z-a]", "!", "a\\", "[-]", "[a-]"])
    func refusesBrokenPatterns(_ pattern: String) {
        #expect(throws: SyntaxProblem.self) { try Dockerignore(patterns: [pattern]) }
    }

    @Test func manyStarsDoNotExplode() throws {
        let pattern = String(repeating: "a*", count: 200) + "b"
        #expect(try !Dockerignore(patterns: [pattern]).excludes(String(repeating: "a", count: 2000)))
    }
}
