internal import JSON
internal import Testing

@Suite("JSON parser")
struct ParserTests {
    @Test(
        "reads each kind of value",
        arguments: [
            ("null", JSON.null), ("true", true), (" false ", false), ("0", 0), ("-0", 0), ("-7", -7),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
            ("9223372036854775808", .unsigned(1 << 63)), ("18446744073709551615", .unsigned(.max)),
            ("18446744073709551616", .double(18446744073709551616)), ("1.5", 1.5), ("1e3", .double(1000)),
            ("-1.25E-2", -0.0125), ("\"\"", ""), ("[]", []), ("{}", [:]), ("[1,[2,{}]]", [1, [2, [:]]]),
            (#"{"a":{"b":[true,null]}}"#, ["a": ["b": [true, .null]]]),
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u00e9\u20AC\ud83d\ude00""#, "é€😀"),
        ] as [(String, JSON)])
    func values(text: String, expected: JSON) throws {
        #expect(try JSON.parse(text) == expected)
    }

    @Test(
        "refuses what RFC 8259 does not allow, and says where",
        arguments: [
            ("", .unexpectedEnd, 0), (" ", .unexpectedEnd, 1), ("nul", .unexpectedEnd, 3),
            ("nulL", .unexpectedCharacter, 3),
            ("01", .invalidNumber, 0), ("-", .unexpectedEnd, 1), ("-x", .invalidNumber, 1), ("1.", .unexpectedEnd, 2),
            ("1.e1", .invalidNumber, 2), ("1e", .unexpectedEnd, 2), (".5", .unexpectedCharacter, 0),
            ("+1", .unexpectedCharacter, 0), ("1e999", .numberOutOfRange, 0), ("NaN", .unexpectedCharacter, 0),
            ("[1,]", .unexpectedCharacter, 3), ("[1 2]", .unexpectedCharacter, 3), ("[", .unexpectedEnd, 1),
            ("{\"a\"}", .unexpectedCharacter, 4), ("{a:1}", .unexpectedCharacter, 1),
            ("{\"a\":1,}", .unexpectedCharacter, 7),
            ("\"a", .unexpectedEnd, 2), ("\"\\x\"", .invalidEscape, 2), ("\"\\u12G4\"", .invalidEscape, 5),
            ("\"\u{1}\"", .controlCharacter, 1), ("{} {}", .trailingData, 3), ("1 x", .trailingData, 2),
            ("'a'", .unexpectedCharacter, 0), ("//", .unexpectedCharacter, 0),
        ] as [(String, JSON.ParseError.Reason, Int)])
    func refusals(text: String, reason: JSON.ParseError.Reason, offset: Int) {
        #expect(throws: JSON.ParseError(reason, offset)) { try JSON.parse(text) }
    }

    @Test(
        "a member is set aside as its text, the last of its name, and only where it is",
        arguments: [
            (#"{"a":{"b":{"c":"}\""},"d":1}}"#, #"{"a":{"d":1}}"#, #"{"c":"}\""}"#),
            (#"{"b":{},"x":{"b":{}}}"#, #"{"b":{},"x":{"b":{}}}"#, nil),
            (#"{"a":{"b":{"c":1},"b":{"c":2}}}"#, #"{"a":{}}"#, #"{"c":2}"#),
            (#"{"a":{"b":{"c":1},"b":null}}"#, #"{"a":{"b":null}}"#, nil),
            (#"{"a":{"b":{"c":1}},"a":{}}"#, #"{"a":{}}"#, nil), (#"{"a":{"b":[1]}}"#, #"{"a":{"b":[1]}}"#, nil),
            (#"{"a":[{"b":{}}]}"#, #"{"a":[{"b":{}}]}"#, nil), ("[]", "[]", nil),
        ] as [(String, String, String?)])
    func setAside(text: String, rest: String, aside: String?) throws {
        let bytes = Array(text.utf8)
        let read = try JSON.parse(bytes, settingAside: ["a", "b"])
        #expect(read.document.text == rest)
        #expect(read.aside.map { String(decoding: bytes[$0], as: UTF8.self) } == aside)
    }

    @Test(
        "a member that does not end is refused", arguments: [#"{"a":{"b":{"#, #"{"a":{"b":{"c":"\"#, #"{"a":{"b":{}"#])
    func setAsideWithoutEnd(text: String) {
        #expect(throws: JSON.ParseError.self) { try JSON.parse(Array(text.utf8), settingAside: ["a", "b"]) }
    }

    @Test(
        "members that are not asked for are passed over on the way, and nowhere else",
        arguments: [
            (#"{"x":[1,{"y":"]"}],"a":{"x":{"b":{}},"d":1,"b":{}}}"#, #"{"a":{"d":1}}"#),
            (#"{"x":1,"a":{"x":"text"}}"#, #"{"x":1,"a":{"x":"text"}}"#),
            (#"{"e":{"x":[]},"a":{"f":{"x":{}}}}"#, #"{"e":{"x":[]},"a":{"f":{"x":{}}}}"#),
        ])
    func leaveOut(text: String, rest: String) throws {
        #expect(try JSON.parse(Array(text.utf8), settingAside: ["a", "b"], leavingOut: ["x"]).document.text == rest)
    }

    @Test("a string that is not UTF-8 is refused")
    func notUTF8() {
        let bytes: [UInt8] = [0x22, 0xC3, 0x28, 0x22]
        #expect(throws: JSON.ParseError(.invalidUTF8, 1)) { try JSON.parse(bytes) }
        #expect(throws: JSON.ParseError(.invalidUTF8, 1)) { try JSON.parse([0x22, 0xFF, 0x5C, 0x6E, 0x22]) }
    }

    @Test("a lone surrogate becomes the replacement character")
    func surrogates() throws {
        #expect(try JSON.parse(#""\ud800""#) == "\u{FFFD}")
        #expect(try JSON.parse(#""\udc00x""#) == "\u{FFFD}x")
        #expect(try JSON.parse(#""\ud800\u0041""#) == "\u{FFFD}A")
    }

    @Test("the last of several members of a name wins, in the place of the first")
    func duplicates() throws {
        let value = try JSON.parse(#"{"a":1,"b":2,"a":3}"#)
        #expect(value.text == #"{"a":3,"b":2}"#)
    }

    @Test("nesting beyond the limit is refused before the stack is spent")
    func depth() throws {
        let fine = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        _ = try JSON.parse(fine)
        let deep = String(repeating: "[", count: 1_000_000)
        #expect(throws: JSON.ParseError(.tooDeep, 128)) { try JSON.parse(deep) }
        let objects = String(repeating: "{\"a\":", count: 200)
        #expect(throws: JSON.ParseError.self) { try JSON.parse(objects) }
    }

    @Test("budgets of bytes and values hold")
    func budgets() {
        #expect(throws: JSON.ParseError(.tooLarge, 4)) { try JSON.parse("[1,2]", limits: JSON.Limits(bytes: 4)) }
        #expect(throws: JSON.ParseError.self) { try JSON.parse("[1,2,3]", limits: JSON.Limits(values: 3)) }
    }

    @Test("a hundred thousand members are read in linear time and found")
    func wideObject() throws {
        let members = (0..<100_000).map { "\"k\($0)\":\($0)" }.joined(separator: ",")
        let value = try JSON.parse("{\(members)}")
        #expect(value["k99999"] == 99999)
        #expect(value.objectValue?.count == 100_000)
    }

    @Test("whatever is mutated, parsing ends and what was read is written back the same")
    func mutations() throws {
        var random = SplitMix(seed: 20_261_121)
        let seeds = [
            #"{"Id":"sha256:00","Names":["/a"],"Created":1700000000,"Ports":[{"IP":"0.0.0.0","PublicPort":80}],"x":-1.5e3}"#,
            #"[null,true,"\u00e9\n",{"a":{"b":[1,2,{"c":"\ud83d\ude00"}]}},18446744073709551615]"#,
        ]
        var accepted = 0
        for round in 0..<20_000 {
            var bytes = Array(seeds[round % seeds.count].utf8)
            for _ in 0...Int(random.next() % 4) {
                let at = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 4 {
                case 0: bytes[at] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: at)
                case 2: bytes.insert(bytes[Int(random.next() % UInt64(bytes.count))], at: at)
                default: bytes.swapAt(at, Int(random.next() % UInt64(bytes.count)))
                }
            }
            guard let value = try? JSON.parse(bytes) else { continue }
            accepted += 1
            let again = try JSON.parse(value.serialized())
            // By text: 1e3 is written as 1000, which is a whole number from then on.
            #expect(again.text == value.text, "\(String(decoding: bytes, as: UTF8.self))")
        }
        #expect(accepted > 100)
    }
}

extension JSON.ParseError {
    init(_ reason: Reason, _ offset: Int) { self.init(reason: reason, offset: offset) }
}

/// A small generator that gives the same numbers each time.
struct SplitMix {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
