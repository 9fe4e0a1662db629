internal import JSON
internal import Testing

@Suite("JSON coder")
struct CoderTests {
    struct Port: Codable, Hashable {
        var number: UInt16
        var name: String?
    }

    struct Document: Codable, Hashable {
        var id: String
        var count: Int?
        var ports: [Port]
        var labels: [String: String]
        var extra: JSON
        enum CodingKeys: String, CodingKey {
            case id = "Id", count = "Count", ports = "Ports", labels = "Labels", extra = "Extra"
        }
    }

    @Test("round trips, absent optionals are not written")
    func roundTrip() throws {
        let document = Document(
            id: "a", count: nil, ports: [Port(number: 80, name: "web")], labels: ["x": "y"], extra: [1, ["k": .null]])
        let bytes = try JSONCoder.encode(document)
        #expect(!String(decoding: bytes, as: UTF8.self).contains("Count"))
        #expect(try JSONCoder.decode(Document.self, from: bytes) == document)
    }

    @Test("null is absent for an optional")
    func nullOptional() throws {
        let text = #"{"Id":"a","Count":null,"Ports":[],"Labels":{},"Extra":null}"#
        #expect(try JSONCoder.decode(Document.self, from: Array(text.utf8)).count == nil)
    }

    @Test("names in any case are found only when asked for")
    func names() throws {
        let text = Array(#"{"id":"a","PORTS":[],"labels":{},"extra":1}"#.utf8)
        #expect(try JSONCoder.decode(Document.self, from: text, keys: .caseInsensitive).id == "a")
        #expect(throws: JSONCoder.Mismatch(path: "Id", reason: "is missing")) {
            try JSONCoder.decode(Document.self, from: text)
        }
    }

    @Test(
        "a mismatch names the way to the member",
        arguments: [
            (#"{"Id":1,"Ports":[],"Labels":{},"Extra":1}"#, "Id: expected a string, found a number"),
            (
                #"{"Id":"","Ports":[{"number":80},{"number":70000}],"Labels":{},"Extra":1}"#,
                "Ports[1].number: 70000 is not a whole number in range"
            ),
            (#"{"Id":"","Ports":[{}],"Labels":{},"Extra":1}"#, "Ports[0].number: is missing"),
            (#"{"Id":"","Ports":{},"Labels":{},"Extra":1}"#, "Ports: expected an array, found an object"),
            (#"[]"#, "expected an object, found an array"),
            (#"{"Id":null,"Ports":[],"Labels":{},"Extra":1}"#, "Id: expected a string, found null"),
        ])
    func mismatches(text: String, expected: String) {
        let error = #expect(throws: JSONCoder.Mismatch.self) {
            try JSONCoder.decode(Document.self, from: Array(text.utf8))
        }
        #expect(error?.description == expected)
    }

    @Test("whole numbers may be written as decimals, others may not")
    func numbers() throws {
        #expect(try JSONCoder.decode([Int].self, from: Array("[1.0,1e2]".utf8)) == [1, 100])
        #expect(throws: JSONCoder.Mismatch.self) { try JSONCoder.decode([Int].self, from: Array("[1.5]".utf8)) }
        #expect(throws: JSONCoder.Mismatch.self) { try JSONCoder.decode([UInt8].self, from: Array("[-1]".utf8)) }
        #expect(try JSONCoder.decode([UInt64].self, from: Array("[18446744073709551615]".utf8)) == [.max])
    }

    @Test("a type's own errors pass through")
    func ownErrors() {
        struct Refusal: Error {}
        struct Picky: Decodable { init(from decoder: any Decoder) throws { throw Refusal() } }
        #expect(throws: Refusal.self) { try JSONCoder.decode(Picky.self, from: Array("1".utf8)) }
    }
}
