/// `Codable` over the JSON tree, for wide wire types; no Foundation.
///
/// Optionals that are nil are left out on encoding. What does not fit is reported as ``Mismatch`` with the path to the
/// member, in words that may be shown to whoever sent the document; errors thrown by a type's own `init(from:)` pass
/// through unchanged.
public enum JSONCoder {
    /// How member names are looked up.
    public enum Keys: Sendable, Hashable {
        /// As they are spelled.
        case exact
        /// In any case of ASCII letters, an exact match first: what Go's decoder does, hence Docker's clients rely on.
        case caseInsensitive
    }

    /// A document whose shape is not the type's.
    public struct Mismatch: Error, Sendable, Hashable, CustomStringConvertible {
        /// The way to the member: "HostConfig.Binds[0]"; empty for the document itself.
        public let path: String
        /// What is wrong with it: "expected a string, found a number".
        public let reason: String

        public init(path: String, reason: String) {
            self.path = path
            self.reason = reason
        }

        public var description: String { path.isEmpty ? reason : "\(path): \(reason)" }
    }

    /// - Throws: ``JSON/ParseError``, ``Mismatch``, or what the type itself throws.
    public static func decode<T: Decodable>(
        _ type: T.Type, from bytes: [UInt8], keys: Keys = .exact, limits: JSON.Limits = .standard
    ) throws -> T {
        try value(type, from: JSON.parse(bytes, limits: limits), keys: keys)
    }

    /// - Throws: ``Mismatch``, or what the type itself throws.
    public static func value<T: Decodable>(_ type: T.Type, from json: JSON, keys: Keys = .exact) throws -> T {
        do {
            return try TreeDecoder(value: json, path: CodingPath(), keys: keys).decode(type)
        } catch let error as DecodingError {
            throw Mismatch(error)
        }
    }

    public static func encode(_ value: some Encodable, pretty: Bool = false, sortedKeys: Bool = false) throws -> [UInt8]
    {
        try tree(value).serialized(pretty: pretty, sortedKeys: sortedKeys)
    }

    public static func tree(_ value: some Encodable) throws -> JSON {
        let node = TreeNode()
        try TreeEncoder(node: node, codingPath: []).encode(value)
        return node.value
    }
}

extension JSONCoder.Mismatch {
    init(_ error: DecodingError) {
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            self.init(path: Self.text(of: context.codingPath), reason: context.debugDescription)
        case .keyNotFound(let key, let context):
            self.init(path: Self.text(of: context.codingPath + [key]), reason: "is missing")
        @unknown default:
            self.init(path: "", reason: "does not have the expected shape")
        }
    }

    private static func text(of path: [any CodingKey]) -> String {
        var text = ""
        for key in path {
            if let index = key.intValue, key is PathKey {
                text += "[\(index)]"
            } else {
                text += text.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
        return text
    }
}

/// A member by name or an element by position.
struct PathKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(stringValue: String) {
        self.stringValue = stringValue
        intValue = nil
    }

    init(intValue: Int) {
        stringValue = String(intValue)
        self.intValue = intValue
    }

    static let `super` = PathKey(stringValue: "super")
}

/// The way from the document to a value, as a list that shares its beginning: building it costs nothing until an error
/// asks for it.
struct CodingPath {
    private indirect enum Step {
        case root
        case key(any CodingKey, Step)
        case index(Int, Step)
    }

    private var step: Step = .root

    func appending(_ key: any CodingKey) -> CodingPath { CodingPath(step: .key(key, step)) }
    func appending(_ index: Int) -> CodingPath { CodingPath(step: .index(index, step)) }

    init() {}
    private init(step: Step) { self.step = step }

    var keys: [any CodingKey] {
        var keys: [any CodingKey] = []
        var rest = step
        while true {
            switch rest {
            case .root: return keys.reversed()
            case .key(let key, let parent):
                keys.append(key)
                rest = parent
            case .index(let index, let parent):
                keys.append(PathKey(intValue: index))
                rest = parent
            }
        }
    }
}

extension JSON: Codable {
    public init(from decoder: any Decoder) throws {
        if let decoder = decoder as? TreeDecoder {
            self = decoder.value
            return
        }
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(UInt64.self) {
            self = .unsigned(value)
        } else if let value = try? container.decode(Double.self) {
            self = .double(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSON].self) {
            self = .array(value)
        } else {
            var object = JSONObject()
            for (key, value) in try container.decode([String: JSON].self) { object[key] = value }
            self = .object(object)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        if let encoder = encoder as? TreeEncoder {
            encoder.node.content = .value(self)
            return
        }
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .unsigned(let value): try container.encode(value)
        case .double(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value):
            try container.encode(Dictionary(value.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }))
        }
    }
}

extension JSONObject: Codable {
    public init(from decoder: any Decoder) throws {
        guard case .object(let object) = try JSON(from: decoder) else {
            throw DecodingError.typeMismatch(
                JSONObject.self, .init(codingPath: decoder.codingPath, debugDescription: "expected an object"))
        }
        self = object
    }

    public func encode(to encoder: any Encoder) throws { try JSON.object(self).encode(to: encoder) }
}
