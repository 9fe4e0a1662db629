/// The members of a JSON object, in the order in which they were added.
///
/// Most objects on our wires have a handful of members, so look-ups scan; an index is kept once there are more than
/// ``indexThreshold``, which keeps a hostile object of a hundred thousand members linear to read.
public struct JSONObject: Sendable {
    public typealias Element = (key: String, value: JSON)

    /// The members' names, and at the same place their values: lists of pairs are of a type that would be made when the first
    /// object is, and these two are of some that most programs have.
    public private(set) var keys: [String] = []
    public private(set) var values: [JSON] = []
    /// Where each member is; empty where there are few, which is found out faster without.
    private var index: [String: Int] = [:]

    private static let indexThreshold = 12

    public init() {}

    public var count: Int { keys.count }
    public var isEmpty: Bool { keys.isEmpty }

    public mutating func reserveCapacity(_ capacity: Int) {
        keys.reserveCapacity(capacity)
        values.reserveCapacity(capacity)
    }

    /// The member of that name; setting replaces in place or appends, setting nil removes.
    public subscript(key: String) -> JSON? {
        get { position(of: key).map { values[$0] } }
        set {
            switch (position(of: key), newValue) {
            case (let found?, let value?): values[found] = value
            case (let found?, nil):
                keys.remove(at: found)
                values.remove(at: found)
                index = [:]
                if count > Self.indexThreshold { buildIndex() }
            case (nil, let value?):
                keys.append(key)
                values.append(value)
                if !index.isEmpty {
                    index[key] = count - 1
                } else if count > Self.indexThreshold {
                    buildIndex()
                }
            case (nil, nil): break
            }
        }
    }

    public subscript(key: String, default fallback: JSON) -> JSON { self[key] ?? fallback }

    /// The member whose name differs in ASCII case at most; an exact match wins, as in Go's decoder.
    public func caseInsensitive(_ key: String) -> JSON? {
        if let exact = self[key] { return exact }
        return keys.lastIndex { equalIgnoringASCIICase($0, key) }.map { values[$0] }
    }

    /// Where a member stands whose name differs from this one in ASCII case at most; the exact one wins.
    public func position(ignoringCaseOf key: String) -> Int? {
        if let exact = position(of: key) { return exact }
        return keys.lastIndex { equalIgnoringASCIICase($0, key) }
    }

    /// The value of the member at a place that is there.
    public func value(at position: Int) -> JSON { values[position] }

    /// The same members sorted by name.
    public func sorted() -> JSONObject {
        var result = JSONObject()
        result.reserveCapacity(count)
        for place in keys.indices.sorted(by: { keys[$0] < keys[$1] }) { result[keys[place]] = values[place] }
        return result
    }

    /// The members of both; those of `other` win.
    public func merging(_ other: JSONObject) -> JSONObject {
        var result = self
        for (key, value) in other { result[key] = value }
        return result
    }

    private func position(of key: String) -> Int? {
        if !index.isEmpty { return index[key] }
        let length = key.utf8.count
        for position in keys.indices where keys[position].utf8.count == length {
            if keys[position] == key { return position }
        }
        return nil
    }

    private mutating func buildIndex() {
        var built = [String: Int](minimumCapacity: count * 2)
        for position in keys.indices { built[keys[position]] = position }
        index = built
    }
}

extension JSONObject: Sequence {
    public struct Iterator: IteratorProtocol {
        private let object: JSONObject
        private var place = 0

        fileprivate init(_ object: JSONObject) { self.object = object }

        public mutating func next() -> Element? {
            guard place < object.count else { return nil }
            defer { place += 1 }
            return (object.keys[place], object.values[place])
        }
    }

    public func makeIterator() -> Iterator { Iterator(self) }
    public var underestimatedCount: Int { count }
}

extension JSONObject: Hashable {
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.count == right.count && left.allSatisfy { right[$0.key] == $0.value }
    }

    /// The order of members does not matter, so neither may it change the hash.
    public func hash(into hasher: inout Hasher) {
        var sum = 0
        for place in keys.indices {
            var member = Hasher()
            member.combine(keys[place])
            member.combine(values[place])
            sum &+= member.finalize()
        }
        hasher.combine(count)
        hasher.combine(sum)
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSON)...) {
        for (key, value) in elements { self[key] = value }
    }
}

/// Whether two names differ in the case of ASCII letters at most.
func equalIgnoringASCIICase(_ left: String, _ right: String) -> Bool {
    let (a, b) = (left.utf8, right.utf8)
    guard a.count == b.count else { return false }
    return zip(a, b).allSatisfy { lowercased($0) == lowercased($1) }
}

private func lowercased(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
}
