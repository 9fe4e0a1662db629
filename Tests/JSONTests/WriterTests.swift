internal import JSON
internal import Testing

@Suite("JSON writer")
struct WriterTests {
    @Test(
        "writes what a strict reader takes, without escaping more than it must",
        arguments: [
            (JSON.null, "null"), (.integer(.min), "-9223372036854775808"), (.unsigned(.max), "18446744073709551615"),
            (.double(1), "1"), (1.5, "1.5"), (.double(.infinity), "null"), (.double(1e300), "1e+300"),
            ("<missing> & é/", "\"<missing> & é/\""), ("a\"\\\n\u{1}\u{7F}", "\"a\\\"\\\\\\n\\u0001\u{7F}\""),
            (["b": 1, "a": [true, .null]], #"{"b":1,"a":[true,null]}"#),
        ] as [(JSON, String)])
    func compact(value: JSON, text: String) {
        #expect(value.text == text)
    }

    @Test("pretty text is what inspect prints")
    func pretty() {
        let value: JSON = [["Id": "a", "Empty": [], "None": [:], "List": [1, 2]]]
        let expected = """
            [
                {
                    "Id": "a",
                    "Empty": [],
                    "None": {},
                    "List": [
                        1,
                        2
                    ]
                }
            ]
            """
        #expect(String(decoding: value.serialized(pretty: true), as: UTF8.self) == expected)
    }

    @Test("sorted keys are sorted at every level")
    func sorted() {
        let value: JSON = ["b": ["z": 1, "y": 2], "a": 0]
        #expect(String(decoding: value.serialized(sortedKeys: true), as: UTF8.self) == #"{"a":0,"b":{"y":2,"z":1}}"#)
    }
}

@Suite("JSON object")
struct ObjectTests {
    @Test("keeps order, replaces in place, removes, before and after there is an index", arguments: [3, 50])
    func order(count: Int) {
        var object = JSONObject()
        for number in 0..<count { object["k\(number)"] = JSON(number) }
        object["k1"] = "changed"
        object["k0"] = nil
        object["last"] = nil
        #expect(object.keys == (1..<count).map { "k\($0)" })
        #expect(object["k1"] == "changed")
        #expect(object["k0"] == nil)
        #expect(object["k\(count - 1)"] == JSON(count - 1))
    }

    @Test("equality and hash do not depend on the order of members")
    func equality() {
        let left: JSON = ["a": 1, "b": 2]
        let right: JSON = ["b": 2, "a": 1]
        #expect(left == right)
        #expect(Set([left, right]).count == 1)
        #expect(left != ["a": 1])
    }

    @Test("look-up in any case prefers the exact name")
    func caseInsensitive() {
        let object: JSONObject = ["image": 1, "Image": 2]
        #expect(object.caseInsensitive("Image") == 2)
        #expect(object.caseInsensitive("image") == 1)
        #expect(object.caseInsensitive("IMAGE") == 2)
        #expect(object.caseInsensitive("Imago") == nil)
    }
}
