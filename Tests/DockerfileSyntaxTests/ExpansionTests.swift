import Testing

@testable import DockerfileSyntax

@Suite struct ExpansionTests {
    private static let values = [
        "A": "one", "EMPTY": "", "SPACES": "a b  c", "PATH": "/usr/local/bin:/bin", "FILE": "archive.tar.gz",
        "Q": "it's \"x\"",
        "U": "größe", "1": "first",
    ]
    private static var rules: Expansion { Expansion { values[$0] } }

    @Test(arguments: [
        ("$A", "one"), ("${A}", "one"), ("x${A}y", "xoney"), ("$Ab", ""), ("$", "$"), ("a$", "a$"), ("$A$A", "oneone"),
        ("$1", "first"),
        ("$ ", "$ "), ("$%", "$%"),
        ("\\$A", "$A"), ("'$A'", "$A"), ("\"$A\"", "one"), ("\"\\$A\"", "$A"), ("'\\'", "\\"), ("a\\ b", "a b"),
        ("\"a\\b\"", "a\\b"),
        ("\"a\\\"b\"", "a\"b"), ("$Q", "it's \"x\""),
        ("${A:-y}", "one"), ("${NO:-y}", "y"), ("${EMPTY:-y}", "y"), ("${EMPTY-y}", ""), ("${NO-y}", "y"),
        ("${NO:-}", ""),
        ("${A:+y}", "y"), ("${NO:+y}", ""), ("${EMPTY:+y}", ""), ("${EMPTY+y}", "y"), ("${NO+y}", ""),
        ("${NO:-${A}}", "one"), ("${NO:-$EMPTY${A:+z}}", "z"), ("${NO:-'}'}", "}"), ("${NO:-\"a b\"}", "a b"),
        ("${NO:-\\}}", "}"),
        ("${A:?e}", "one"), ("${EMPTY?e}", ""),
        ("${FILE#*.}", "tar.gz"), ("${FILE##*.}", "gz"), ("${FILE%.*}", "archive.tar"), ("${FILE%%.*}", "archive"),
        ("${FILE#nope}", "archive.tar.gz"), ("${FILE#arch???}", ".tar.gz"), ("${FILE%\\*}", "archive.tar.gz"),
        ("${NO#x}", ""),
        ("${PATH/bin/sbin}", "/usr/local/sbin:/bin"), ("${PATH//bin/sbin}", "/usr/local/sbin:/sbin"),
        ("${PATH//\\/bin/}", "/usr/local:"),
        ("${FILE/.*/}", "archive"), ("${FILE//a/$A}", "onerchive.toner.gz"), ("${U#gr?}", "ße"), ("${U%??}", "grö"),
        ("${U//?/x}", "xxxxx"),
        ("ünïcode $A", "ünïcode one"),
    ])
    func expandsAsAShellDoes(_ text: String, _ wanted: String) throws {
        #expect(try Self.rules.word(text) == wanted, "\(text)")
    }

    @Test(arguments: [
        ("$SPACES", ["a", "b", "c"]), ("\"$SPACES\"", ["a b  c"]), ("x$SPACES", ["xa", "b", "c"]), ("$EMPTY", []),
        ("\"\"", [""]),
        ("80 443/tcp  $A", ["80", "443/tcp", "one"]), ("a\\ b c", ["a b", "c"]), ("", []),
    ])
    func splitsWords(_ text: String, _ wanted: [String]) throws {
        #expect(try Self.rules.words(text) == wanted, "\(text)")
    }

    @Test(arguments: [
        ("${", "syntax error: missing '}'"), ("${A", "syntax error: missing '}'"),
        ("${A:-x", "syntax error: missing '}'"),
        ("${}", "syntax error: bad substitution"), ("${{A}}", "syntax error: bad substitution"),
        ("${:x}", "syntax error: bad substitution"),
        ("${NO:?}", "NO: is not allowed to be unset"), ("${NO?gone}", "NO: gone"),
        ("${EMPTY:?}", "EMPTY: is not allowed to be empty"),
        ("${A!x}", "unsupported modifier (!) in substitution"), ("${A:x}", "unsupported modifier (:x) in substitution"),
        ("'a", "unexpected end of statement while looking for matching single-quote"),
        ("\"a", "unexpected end of statement while looking for matching double-quote"),
    ])
    func saysWhatIsWrong(_ text: String, _ message: String) {
        #expect { try Self.rules.word(text) } throws: { ($0 as? SyntaxProblem)?.message == message }
    }

    @Test func honoursTheOtherEscapeCharacter() throws {
        let rules = Expansion(escape: ASCII.backtick) { Self.values[$0] }
        #expect(try rules.word("C:\\dir\\$A `$A") == "C:\\dir\\one $A")
    }

    @Test func keepsQuotesInHereDocuments() throws {
        let rules = Expansion(keepsQuotes: true) { Self.values[$0] }
        #expect(try rules.word("say \"$A\" 'and' \\$A \\n") == "say \"one\" 'and' $A \\n")
    }

    @Test func boundsWhatDoubles() {
        var values = ["A": String(repeating: "x", count: 1000)]
        #expect(throws: SyntaxProblem.self) {
            for _ in 0..<40 { values["A"] = try Expansion { [values] in values[$0] }.word("$A$A") }
        }
        #expect(throws: SyntaxProblem.self) {
            try Self.rules.word(String(repeating: "${NO:-", count: 10_000) + String(repeating: "}", count: 10_000))
        }
        let stars = String(repeating: "*a", count: 5000)
        let long = Expansion { _ in String(repeating: "a", count: 100_000) }
        #expect(throws: SyntaxProblem.self) { try long.word("${X//\(stars)b/y}") }
    }
}
