import HTTPServer
import Testing

@Suite struct QueryTests {
    @Test func namesAndValuesAreDecoded() {
        let query = Query("a=1&b=x%20y+z&a=2&c&d=%zz")
        #expect(query["a"] == "1")
        #expect(query.all("a") == ["1", "2"])
        #expect(query["b"] == "x y z")
        #expect(query["c"] == "")
        #expect(query["d"] == "%zz")
        #expect(query["e"] == nil)
    }

    @Test(arguments: [
        ("", false), ("0", false), ("no", false), ("False", false), ("none", false), (" 0 ", false), ("1", true),
        ("junk", true),
    ])
    func switchesFollowDockersRule(value: String, on: Bool) {
        #expect(Query("x=\(value)").flag("x") == on)
    }

    @Test func absentSwitchesHaveADefault() {
        #expect(!Query("").flag("x"))
        #expect(Query("").flag("x", default: true))
    }
}
