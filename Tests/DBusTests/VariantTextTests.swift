import DBus
import Testing

@Suite struct VariantTextTests {
    @Test(arguments: [
        ("'inactive-or-failed'", DBusValue.string("inactive-or-failed")), ("\"a'b\\\"c\\\\\"", .string("a'b\"c\\")),
        ("''", .string("")), ("true", .boolean(true)), (" false ", .boolean(false)), ("5", .int32(5)),
        ("-7", .int32(-7)),
        ("0x1f", .int32(31)), ("1.5", .double(1.5)), ("1e3", .double(1000)), ("uint64 5000000", .uint64(5_000_000)),
        ("byte 255", .byte(255)), ("int16 -1", .int16(-1)), ("objectpath '/a/b'", .objectPath("/a/b")),
        ("['a', 'b']", .array(of: .string, [.string("a"), .string("b")])), ("@as []", .array(of: .string, [])),
        ("@at [1, 2]", .array(of: .uint64, [.uint64(1), .uint64(2)])),
        ("[uint32 1, 2]", .array(of: .uint32, [.uint32(1), .uint32(2)])),
        ("('char-*', 'rw')", .structure([.string("char-*"), .string("rw")])), ("(1,)", .structure([.int32(1)])),
        (
            "@a(ss) [('/dev/null','rw')]",
            .array(of: .structure([.string, .string]), [.structure([.string("/dev/null"), .string("rw")])])
        ),
        ("<uint32 1>", .variant(.uint32(1))),
    ])
    func aTextIsItsValue(_ text: String, _ value: DBusValue) throws {
        #expect(try VariantText.value(text) == value)
    }

    @Test(arguments: [
        "", "blah", "'open", "'\\q'", "[", "[]", "['a', 1]", "['a' 'b']", "()", "(1", "5 6", "byte 256", "uint32 -1",
        "uint64 'a'", "boolean 1", "@as 5", "@zz []", "@as", "@(si) ('a')", "@(s) ('a', 'b')", "<1", "0x", "1.5.5",
        "'a\u{0}'",
        "objectpath 'a'", "signature 'z'", String(repeating: "[", count: 100),
    ])
    func whatIsNoValueIsRefused(_ text: String) {
        #expect(throws: DBusFault.self) { try VariantText.value(text) }
    }
}
