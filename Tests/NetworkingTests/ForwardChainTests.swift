import JSON
import Testing

@testable import Networking

/// What is done to a chain that belongs to others, from what it holds.
@Suite("ForwardChain")
struct ForwardChainTests {
    /// The chain as libnftables lists it, with rules whose handles count from 10.
    private func chain(_ rules: [String], hook: String = #""hook": "forward", "#) throws -> ForwardChain? {
        let members = rules.enumerated().map { index, rule in
            #"{"rule": {"family": "ip", "table": "filter", "chain": "FORWARD", "handle": \#(10 + index), \#(rule)}}"#
        }
        let head = #"{"chain": {"family": "ip", "table": "filter", "name": "FORWARD", \#(hook)"policy": "drop"}}"#
        return ForwardChain(
            listing: try JSON.parse(#"{"nftables": [\#(([head] + members).joined(separator: ", "))]}"#))
    }

    private static let jump = #""expr": [{"counter": {"packets": 1, "bytes": 2}}, {"jump": {"target": "DOCKER-USER"}}]"#

    private func passage(_ key: String, _ bridge: String, comment: String?) -> String {
        let mark = comment.map { #""comment": "\#($0)", "# } ?? ""
        return mark
            + #""expr": [{"match": {"op": "==", "left": {"meta": {"key": "\#(key)"}}, "right": "\#(bridge)"}}, {"counter": {"packets": 0, "bytes": 0}}, {"accept": null}]"#
    }

    @Test("each bridge gets a rule for what it sends and one for what it receives, after what others have there")
    func additions() throws {
        let script = try #require(try chain([Self.jump])).script(bridges: ["skiff0"], mark: "skiff")
        #expect(
            script == """
                add rule ip filter FORWARD iifname "skiff0" counter accept comment "skiff: from skiff0"
                add rule ip filter FORWARD oifname "skiff0" counter accept comment "skiff: to skiff0"

                """)
    }

    @Test("where all is as it should be nothing is done, whoever wrote it")
    func settled() throws {
        let own = [
            passage("iifname", "skiff0", comment: "skiff: from skiff0"),
            passage("oifname", "skiff0", comment: nil)
                .replacing(#"{"counter""#, with: #"{"xt": {"type": "match", "name": "comment"}}, {"counter""#),
        ]
        #expect(try chain(own)?.script(bridges: ["skiff0"], mark: "skiff") == "")
    }

    @Test("our rules for bridges that are gone, and doubles, are removed; another daemon's and a person's are not")
    func removals() throws {
        let rules = [
            passage("iifname", "skiff0", comment: "skiff: from skiff0"),
            passage("iifname", "skiff0", comment: "skiff: from skiff0"),
            passage("oifname", "skiff0", comment: "skiff: to skiff0"),
            passage("oifname", "br-old", comment: "skiff: to br-old"),
            passage("iifname", "skiff-x", comment: "skiff_x: from skiff-x"), passage("iifname", "lan", comment: nil),
        ]
        #expect(
            try chain(rules)?.script(bridges: ["skiff0"], mark: "skiff") == """
                delete rule ip filter FORWARD handle 11
                delete rule ip filter FORWARD handle 13

                """)
        #expect(
            try chain(rules)?.script(bridges: [], mark: "skiff_x") == "delete rule ip filter FORWARD handle 14\n")
    }

    @Test(
        "a rule that takes all that is left stays the last; one with a condition takes not all",
        arguments: [
            (#""expr": [{"counter": {}}, {"drop": null}]"#, true),
            (#""expr": [{"counter": {}}, {"reject": {"type": "icmp", "expr": "port-unreachable"}}]"#, true),
            (#""expr": [{"counter": {}}, {"xt": {"type": "target", "name": "REJECT"}}]"#, true),
            (#""expr": [{"counter": {}}, {"xt": null}]"#, true),
            (#""expr": [{"counter": {}}, {"xt": {"type": "target", "name": "LOG"}}]"#, false),
            (#""expr": [{"counter": {}}, {"log": {"prefix": "x"}}]"#, false),
            (#""expr": [{"xt": null}, {"counter": {}}, {"drop": null}]"#, false),
            (
                #""expr": [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth0"}}, {"drop": null}]"#,
                false
            ),
        ])
    func lastRule(rule: String, takesAll: Bool) throws {
        let script = try #require(try chain([Self.jump, rule, rule])).script(bridges: ["skiff0"], mark: "skiff")
        #expect(script.contains("insert rule ip filter FORWARD handle 11 iifname \"skiff0\"") == takesAll)
        #expect(script.contains("add rule") != takesAll)
    }

    @Test("a condition more or another comparison is another rule")
    func otherRules() throws {
        let narrow =
            #""expr": [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "skiff0"}}, {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "10.0.0.1"}}, {"accept": null}]"#
        let inverse =
            #""expr": [{"match": {"op": "!=", "left": {"meta": {"key": "oifname"}}, "right": "skiff0"}}, {"accept": null}]"#
        let script = try #require(try chain([narrow, inverse])).script(bridges: ["skiff0"], mark: "skiff")
        #expect(script.split(separator: "\n").count == 2)
    }

    @Test("a chain that has only the name is left alone")
    func noBaseChain() throws { #expect(try chain([Self.jump], hook: "") == nil) }
}
