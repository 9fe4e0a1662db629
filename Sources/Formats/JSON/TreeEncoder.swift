/// A place in the tree under construction; containers handed out earlier may still add to it.
final class TreeNode {
    enum Content {
        case value(JSON)
        case object(keys: [String: Int], members: [(String, TreeNode)])
        case array([TreeNode])
    }

    var content: Content = .value(.null)

    init() {}
    init(_ value: JSON) { content = .value(value) }

    var value: JSON {
        switch content {
        case .value(let value): return value
        case .array(let nodes): return .array(nodes.map(\.value))
        case .object(_, let members):
            var object = JSONObject()
            object.reserveCapacity(members.count)
            for (key, node) in members { object[key] = node.value }
            return .object(object)
        }
    }

    /// Asking twice for a keyed container adds to the same object, as `super` encoding expects.
    func becomeObject() {
        if case .object = content { return }
        content = .object(keys: [:], members: [])
    }

    func becomeArray() {
        if case .array = content { return }
        content = .array([])
    }

    func set(_ key: String, _ node: TreeNode) {
        guard case .object(var keys, var members) = content else { return }
        content = .value(.null)  // keeps the storage uniquely referenced
        if let position = keys[key] {
            members[position].1 = node
        } else {
            keys[key] = members.count
            members.append((key, node))
        }
        content = .object(keys: keys, members: members)
    }

    func append(_ node: TreeNode) {
        guard case .array(var nodes) = content else { return }
        content = .value(.null)
        nodes.append(node)
        content = .array(nodes)
    }

    var count: Int {
        if case .array(let nodes) = content { nodes.count } else { 0 }
    }
}

/// An `Encoder` that grows the tree at one node.
struct TreeEncoder: Encoder {
    let node: TreeNode
    let codingPath: [any CodingKey]

    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        node.becomeObject()
        return KeyedEncodingContainer(KeyedTreeEncoder<Key>(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.becomeArray()
        return UnkeyedTreeEncoder(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }
}

extension TreeEncoder: SingleValueEncodingContainer {
    func encodeNil() { node.content = .value(.null) }
    func encode(_ value: Bool) { node.content = .value(.bool(value)) }
    func encode(_ value: String) { node.content = .value(.string(value)) }
    func encode(_ value: Double) { node.content = .value(.double(value)) }
    func encode(_ value: Float) { node.content = .value(.double(Double(value))) }
    func encode(_ value: Int) { node.content = .value(JSON(value)) }
    func encode(_ value: Int8) { node.content = .value(JSON(value)) }
    func encode(_ value: Int16) { node.content = .value(JSON(value)) }
    func encode(_ value: Int32) { node.content = .value(JSON(value)) }
    func encode(_ value: Int64) { node.content = .value(JSON(value)) }
    func encode(_ value: UInt) { node.content = .value(JSON(value)) }
    func encode(_ value: UInt8) { node.content = .value(JSON(value)) }
    func encode(_ value: UInt16) { node.content = .value(JSON(value)) }
    func encode(_ value: UInt32) { node.content = .value(JSON(value)) }
    func encode(_ value: UInt64) { node.content = .value(JSON(value)) }
    func encode<T: Encodable>(_ value: T) throws { try value.encode(to: self) }
}

struct KeyedTreeEncoder<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: TreeNode
    let codingPath: [any CodingKey]

    private func set(_ key: Key, _ value: JSON) { node.set(key.stringValue, TreeNode(value)) }

    private func child(_ key: some CodingKey) -> TreeEncoder {
        let child = TreeNode()
        node.set(key.stringValue, child)
        return TreeEncoder(node: child, codingPath: codingPath + [key])
    }

    func encodeNil(forKey key: Key) { set(key, .null) }
    func encode(_ value: Bool, forKey key: Key) { set(key, .bool(value)) }
    func encode(_ value: String, forKey key: Key) { set(key, .string(value)) }
    func encode(_ value: Double, forKey key: Key) { set(key, .double(value)) }
    func encode(_ value: Float, forKey key: Key) { set(key, .double(Double(value))) }
    func encode(_ value: Int, forKey key: Key) { set(key, JSON(value)) }
    func encode(_ value: Int8, forKey key: Key) { set(key, JSON(value)) }
    func encode(_ value: Int16, forKey key: Key) { set(key, JSON(value)) }
    func encode(_ value: Int32, forKey key: Key) { set(key, JSON(value)) }
    func encode(_ value: Int64, forKey key: Key) { set(key, JSON(value)) }
    func encode(_ value: UInt, forKey key: Key) { set(key, JSON(value)) }
    func encode(_ value: UInt8, forKey key: Key) { set(key, JSON(value)) }
    func encode(_ value: UInt16, forKey key: Key) { set(key, JSON(value)) }
    func encode(_ value: UInt32, forKey key: Key) { set(key, JSON(value)) }
    func encode(_ value: UInt64, forKey key: Key) { set(key, JSON(value)) }
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try value.encode(to: child(key)) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> { child(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { child(key).unkeyedContainer() }
    func superEncoder() -> any Encoder { child(PathKey.super) }
    func superEncoder(forKey key: Key) -> any Encoder { child(key) }
}

struct UnkeyedTreeEncoder: UnkeyedEncodingContainer {
    let node: TreeNode
    let codingPath: [any CodingKey]

    var count: Int { node.count }

    private func child() -> TreeEncoder {
        let child = TreeNode()
        let path = codingPath + [PathKey(intValue: node.count)]
        node.append(child)
        return TreeEncoder(node: child, codingPath: path)
    }

    func encodeNil() { node.append(TreeNode(.null)) }
    func encode(_ value: String) { node.append(TreeNode(.string(value))) }
    func encode<T: Encodable>(_ value: T) throws { try value.encode(to: child()) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        child().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { child().unkeyedContainer() }
    func superEncoder() -> any Encoder { child() }
}
