internal import Failures
internal import JSON
internal import Testing

@testable internal import Commands

@Suite("Template")
struct TemplateTests {
    static let value: JSON = [
        "Id": "abc", "Name": "/web", "Count": 3, "Ratio": 1.5, "Up": true, "None": .null, "Args": ["a", "b c"],
        "State": ["Running": true, "ExitCode": 0], "Labels": ["b": "2", "a": "1"],
        "Ports": ["80/tcp": [["HostPort": "8080"]], "443/tcp": .null], "Empty": [],
    ]

    @Test(
        "renders as Go's text/template",
        arguments: [
            ("plain", "plain"), ("{{.Id}}", "abc"), ("{{ .State.Running }}", "true"),
            ("{{.Count}}/{{.Ratio}}", "3/1.5"),
            ("{{json .Args}}", #"["a","b c"]"#), ("{{json .None}}", "null"), ("{{.Args}}", "[a b c]"),
            ("{{.Labels}}", "map[a:1 b:2]"), ("{{range .Args}}<{{.}}>{{end}}", "<a><b c>"),
            ("{{range $i, $v := .Args}}{{$i}}={{$v}};{{end}}", "0=a;1=b c;"),
            ("{{range $k, $v := .Labels}}{{$k}}{{$v}}{{end}}", "a1b2"),
            ("{{range .Empty}}x{{else}}nothing{{end}}", "nothing"),
            ("{{if .Up}}up{{else}}down{{end}}", "up"), ("{{if .None}}x{{else if .Count}}c{{else}}y{{end}}", "c"),
            ("{{if .Missing}}x{{end}}-", "-"), ("{{if not .State.Paused}}run{{end}}", "run"),
            ("{{with .State}}{{.ExitCode}}{{end}}", "0"), ("{{with .None}}x{{else}}{{.Id}}{{end}}", "abc"),
            ("{{join .Args \", \"}}", "a, b c"), ("{{.Name | upper}}", "/WEB"), ("{{title \"new york\"}}", "New York"),
            ("{{split \"a:b\" \":\"}}", "[a b]"), ("{{len .Args}}{{len .Labels}}{{len .Id}}", "223"),
            ("{{printf \"%-6s|%4d|%q\" .Id .Count .Name}}", "abc   |   3|\"/web\""),
            ("{{printf \"%.2f\" .Ratio}}", "1.50"),
            ("{{index .Labels \"a\"}}", "1"), ("{{index .Args 1}}", "b c"), ("{{index .Labels \"zz\"}}", ""),
            ("{{(index (index .Ports \"80/tcp\") 0).HostPort}}", "8080"),
            (
                "{{range $p, $c := .Ports}}{{$p}} -> {{if $c}}{{(index $c 0).HostPort}}{{end}} {{end}}",
                "443/tcp ->  80/tcp -> 8080 "
            ),
            ("{{eq .Count 3}} {{ne .Id \"x\"}} {{lt .Count 4}} {{ge .Ratio 2}}", "true true true false"),
            ("{{eq .Id \"x\" \"abc\"}}", "true"), ("{{and .Up .Id}}{{or .None .Id}}", "abcabc"),
            ("{{$x := .Id}}{{$x}}{{$x = \"n\"}}{{$x}}", "abcn"), ("a {{- .Id -}} b", "aabcb"), ("{{/* no */}}x", "x"),
            ("{{println .Id}}", "abc\n"), ("{{truncate .Id 2}}", "ab"), ("{{slice .Id 1 2}}", "b"),
            ("{{`raw`}}", "raw"),
            ("{{range .Args}}{{if eq . \"a\"}}{{continue}}{{end}}{{.}}{{break}}{{end}}", "b c"),
            ("{{.None}}", "<no value>"),
            ("{{range .Args}}{{$.Id}}{{end}}", "abcabc"), ("{{pad .Id 1 2}}|", " abc  |"), ("{{lower \"ABC\"}}", "abc"),
        ])
    func rendering(text: String, expected: String) throws {
        #expect(try Template(text).render(Self.value) == expected)
    }

    @Test(
        "refuses what makes no sense",
        arguments: [
            "{{", "{{.Id", "{{if .Id}}x", "{{end}}", "{{nope .Id}}", "{{.Missing}}", "{{.Missing.Deeper}}",
            "{{.Id.Deeper}}",
            "{{\"x}}", "{{index .Args 7}}", "{{range .Up}}{{end}}", "{{$undefined}}", "{{.Id .Name}}", "{{(.Id}}",
            "{{|}}",
            "{{lt .Id 3}}", "{{else}}", "{{/* x }}",
        ])
    func refusals(text: String) {
        #expect(throws: Failure.self) { try Template(text).render(Self.value) }
    }

    @Test("whatever is typed, it ends")
    func mutations() {
        var random = SystemRandomNumberGenerator()
        let seeds = [
            "{{range $k, $v := .Labels}}{{if eq $k \"a\"}}{{printf \"%5s\" $v}}{{end}}{{end}}",
            "{{(index .Args 0) | upper}}",
        ]
        for round in 0..<5_000 {
            var characters = Array(seeds[round % 2])
            for _ in 0..<3 {
                let at = Int.random(in: characters.indices, using: &random)
                characters[at] = "{}()|.$\"%-= a0".randomElement(using: &random) ?? "x"
            }
            _ = try? Template(String(characters)).render(Self.value)
        }
    }
}

@Suite("Listing")
struct ListingTests {
    private let listing = Listing(
        titles: ["ID": "CONTAINER ID", "Names": "NAMES", "Labels": "LABELS"], standard: "{{.ID}}\t{{.Names}}",
        idTemplate: "{{.ID}}")
    private let rows = [
        Row(["ID": "0123456789ab", "Names": "web"], labels: ["x": "1"]), Row(["ID": "ff", "Names": "db"], labels: nil),
    ]

    @Test(
        "shows rows as the format says",
        arguments: [
            (nil, false, "CONTAINER ID   NAMES\n0123456789ab   web\nff             db\n"),
            (nil, true, "0123456789ab\nff\n"), ("{{.Names}}", false, "web\ndb\n"),
            ("table {{.Names}}\\t{{.ID}}", false, "NAMES     CONTAINER ID\nweb       0123456789ab\ndb        ff\n"),
            ("{{.Label \"x\"}}|{{.Labels}}", false, "1|x=1\n|\n"),
            (
                "json", false,
                "{\"ID\":\"0123456789ab\",\"Labels\":\"x=1\",\"Names\":\"web\"}\n{\"ID\":\"ff\",\"Labels\":\"\",\"Names\":\"db\"}\n"
            ),
        ] as [(String?, Bool, String)])
    func formats(format: String?, quiet: Bool, expected: String) throws {
        #expect(try listing.text(rows, format: format, quiet: quiet) == expected)
    }

    @Test("an unknown column is an error")
    func unknown() {
        #expect(throws: Failure.self) { try listing.text(rows, format: "{{.Nope}}", quiet: false) }
    }
}
