/// The members of a JSON object, in the order in which they were added.
///
/// Most objects on our wires have a handful of members, so look-ups scan; an index is kept once there are more than
/// ``indexThreshold``, which keeps a hostile object of a hundred thousand members linear to read.
public struct JSONObject: Sendable {
    public typealias Element = (key: String, value: JSON)

    /// Not a tuple, whose type would be made when the first object is.
    fileprivate struct Entry: Sendable {
        let key: String
        var value: JSON
    }

    private var entries: [Entry] = []
    /// Where each member is; empty where there are few, which is found out faster without.
    private var index: [String: Int] = [:]

    private static let indexThreshold = 12

    public init() {}

    public var count: Int { entries.count }
    public var isEmpty: Bool { entries.isEmpty }
    public var keys: [String] { entries.map(\.key) }
    public var values: [JSON] { entries.map(\.value) }

    public mutating func reserveCapacity(_ capacity: Int) { entries.reserveCapacity(capacity) }

    /// The member of that name; setting replaces in place or appends, setting nil removes.
    public subscript(key: String) -> JSON? {
        get { position(of: key).map { entries[$0].value } }
        set {
            switch (position(of: key), newValue) {
            case (let found?, let value?): entries[found].value = value
            case (let found?, nil):
                entries.remove(at: found)
                index = [:]
                if entries.count > Self.indexThreshold { buildIndex() }
            case (nil, let value?):
                entries.append(Entry(key: key, value: value))
                if !index.isEmpty {
                    index[key] = entries.count - 1
                } else if entries.count > Self.indexThreshold {
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
        return entries.last { equalIgnoringASCIICase($0.key, key) }?.value
    }

    /// Where a member stands whose name differs from this one in ASCII case at most; the exact one wins.
    public func position(ignoringCaseOf key: String) -> Int? {
        if let exact = position(of: key) { return exact }
        return entries.lastIndex { equalIgnoringASCIICase($0.key, key) }
    }

    /// The value of the member at a place that is there.
    public func value(at position: Int) -> JSON { entries[position].value }

    /// The same members sorted by name.
    public func sorted() -> JSONObject {
        var result = JSONObject()
        result.reserveCapacity(count)
        for entry in entries.sorted(by: { $0.key < $1.key }) { result[entry.key] = entry.value }
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
        for position in entries.indices where entries[position].key.utf8.count == length {
            if entries[position].key == key { return position }
        }
        return nil
    }

    private mutating func buildIndex() {
        var built = [String: Int](minimumCapacity: entries.count * 2)
        for position in entries.indices { built[entries[position].key] = position }
        index = built
    }
}

extension JSONObject: Sequence {
    public struct Iterator: IteratorProtocol {
        private var entries: IndexingIterator<[Entry]>

        fileprivate init(_ entries: [Entry]) { self.entries = entries.makeIterator() }

        public mutating func next() -> Element? { entries.next().map { ($0.key, $0.value) } }
    }

    public func makeIterator() -> Iterator { Iterator(entries) }
    public var underestimatedCount: Int { entries.count }
}

extension JSONObject: Hashable {
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.count == right.count && left.entries.allSatisfy { right[$0.key] == $0.value }
    }

    /// The order of members does not matter, so neither may it change the hash.
    public func hash(into hasher: inout Hasher) {
        var sum = 0
        for entry in entries {
            var member = Hasher()
            member.combine(entry.key)
            member.combine(entry.value)
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
