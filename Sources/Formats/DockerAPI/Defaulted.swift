/// A type with a value for "nothing said".
public protocol Defaultable {
    init()
}

extension String: Defaultable {}
extension Bool: Defaultable {}
extension Int: Defaultable {}
extension Int64: Defaultable {}
extension UInt16: Defaultable {}
extension Array: Defaultable {}
extension Dictionary: Defaultable {}

/// A member that is always written, and that engines other than ours leave out or send as `null`.
///
/// Go sends `null` for an empty list and leaves out what its authors marked so; which of the three a client gets depends
/// on the engine and its version. Reading is therefore lenient, writing always complete.
@propertyWrapper
public struct Defaulted<Value: Codable & Sendable & Hashable & Defaultable>: Codable, Sendable, Hashable {
    public var wrappedValue: Value

    public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        wrappedValue = container.decodeNil() ? Value() : try container.decode(Value.self)
    }

    public func encode(to encoder: any Encoder) throws { try wrappedValue.encode(to: encoder) }
}

extension KeyedDecodingContainer {
    /// Found by the compiler when it makes `init(from:)` for a type with ``Defaulted`` members.
    public func decode<Value>(_ type: Defaulted<Value>.Type, forKey key: Key) throws -> Defaulted<Value> {
        Defaulted(wrappedValue: try decodeIfPresent(Value.self, forKey: key) ?? Value())
    }
}
