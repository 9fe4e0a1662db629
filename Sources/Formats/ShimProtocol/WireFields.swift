internal import JSON

/// Typed reading of a message's members: what is missing or of another kind is an error that names the member.
struct WireFields {
    let object: JSONObject

    init(_ object: JSONObject) { self.object = object }

    func tag() throws(ShimWire.Malformed) -> UInt32 { try number("tag") }

    func string(_ key: String) throws(ShimWire.Malformed) -> String {
        guard let value = object[key]?.stringValue else { throw ShimWire.Malformed("no string \"\(key)\"") }
        return value
    }

    func optionalString(_ key: String) throws(ShimWire.Malformed) -> String? {
        object[key] == nil ? nil : try string(key)
    }

    func number<Value: FixedWidthInteger>(_ key: String) throws(ShimWire.Malformed) -> Value {
        guard let value = object[key]?.intValue, let number = Value(exactly: value) else {
            throw ShimWire.Malformed("no number \"\(key)\" in range")
        }
        return number
    }

    func optionalNumber<Value: FixedWidthInteger>(_ key: String) throws(ShimWire.Malformed) -> Value? {
        object[key] == nil ? nil : try number(key)
    }

    /// Absent is false: only true is written.
    func flag(_ key: String) throws(ShimWire.Malformed) -> Bool {
        guard let value = object[key] else { return false }
        guard let flag = value.boolValue else { throw ShimWire.Malformed("\"\(key)\" is no boolean") }
        return flag
    }

    func json(_ key: String) throws(ShimWire.Malformed) -> JSON {
        guard let value = object[key] else { throw ShimWire.Malformed("no \"\(key)\"") }
        return value
    }

    func fields(_ key: String) throws(ShimWire.Malformed) -> WireFields {
        guard let value = object[key]?.objectValue else { throw ShimWire.Malformed("no object \"\(key)\"") }
        return WireFields(value)
    }

    func optionalFields(_ key: String) throws(ShimWire.Malformed) -> WireFields? {
        object[key] == nil ? nil : try fields(key)
    }

    /// Absent is empty.
    func list(_ key: String) throws(ShimWire.Malformed) -> [WireFields] {
        guard let value = object[key] else { return [] }
        guard let elements = value.arrayValue else { throw ShimWire.Malformed("\"\(key)\" is no array") }
        var list: [WireFields] = []
        for element in elements {
            guard let object = element.objectValue else { throw ShimWire.Malformed("\"\(key)\" holds no objects") }
            list.append(WireFields(object))
        }
        return list
    }

    func strings(_ key: String) throws(ShimWire.Malformed) -> [String] {
        guard let elements = object[key]?.arrayValue else { throw ShimWire.Malformed("no array \"\(key)\"") }
        var list: [String] = []
        for element in elements {
            guard let value = element.stringValue else { throw ShimWire.Malformed("\"\(key)\" holds no strings") }
            list.append(value)
        }
        return list
    }

    func optionalStrings(_ key: String) throws(ShimWire.Malformed) -> [String]? {
        object[key] == nil ? nil : try strings(key)
    }

    func numbers(_ key: String) throws(ShimWire.Malformed) -> [Int32] {
        guard let elements = object[key]?.arrayValue else { throw ShimWire.Malformed("no array \"\(key)\"") }
        var list: [Int32] = []
        for element in elements {
            guard let value = element.intValue, let number = Int32(exactly: value) else {
                throw ShimWire.Malformed("\"\(key)\" holds no numbers")
            }
            list.append(number)
        }
        return list
    }

    func stringMap(_ key: String) throws(ShimWire.Malformed) -> [String: String] {
        guard let value = object[key] else { return [:] }
        guard let members = value.objectValue else { throw ShimWire.Malformed("\"\(key)\" is no object") }
        var map: [String: String] = [:]
        for (name, value) in members {
            guard let text = value.stringValue else { throw ShimWire.Malformed("\"\(key)\" holds no strings") }
            map[name] = text
        }
        return map
    }
}

extension JSONObject {
    mutating func set(_ key: String, _ value: String?) { if let value { self[key] = .string(value) } }
    mutating func set(_ key: String, _ value: (some BinaryInteger)?) { if let value { self[key] = JSON(value) } }
    mutating func set(_ key: String, _ value: Bool) { if value { self[key] = .bool(true) } }
    mutating func set(_ key: String, _ value: [String]?) { if let value { self[key] = JSON(value) } }
    mutating func set(_ key: String, _ value: [JSONObject]) {
        if !value.isEmpty { self[key] = .array(value.map { .object($0) }) }
    }
}
