import DBus
import Testing

@Suite struct SignatureTests {
    @Test(arguments: ["", "y", "ssa(sv)a(sa(sv))", "a{sv}", "(i(ss)ab)", "aaaay", "a{y(ut)}", "uoss"])
    func aSignatureIsItsTypesOneAfterAnother(_ text: String) throws {
        #expect(try DBusType.list(text).map(\.text).joined() == text)
    }

    @Test(arguments: ["a", "(", ")", "()", "(s", "{sv}", "a{s}", "a{vs}", "a{svs}", "a{sv", "z", "s)", "é", "a{(s)s}"])
    func whatIsNoSignatureIsRefused(_ text: String) {
        #expect(throws: DBusFault.self) { try DBusType.list(text) }
    }

    @Test func nestingAndLengthHaveTheirLimits() throws {
        #expect(try DBusType.list(String(repeating: "a", count: 32) + "y").count == 1)
        #expect(throws: DBusFault.self) { try DBusType.list(String(repeating: "a", count: 33) + "y") }
        let nested = { String(repeating: "(", count: $0) + "y" + String(repeating: ")", count: $0) }
        #expect(try DBusType.list(nested(32)).count == 1)
        #expect(throws: DBusFault.self) { try DBusType.list(nested(33)) }
        #expect(try DBusType.list(String(repeating: "y", count: 255)).count == 255)
        #expect(throws: DBusFault.self) { try DBusType.list(String(repeating: "y", count: 256)) }
    }
}
