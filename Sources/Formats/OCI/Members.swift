internal import Failures
internal import JSON

/// An object being read member by member; what nobody asked for is ``rest``.
///
/// Null counts as absent, because Go writes it for empty slices and maps; names are found whatever their case, because
/// Go's decoder does so and documents count on it. Every message names the way to the member.
struct Members {
    private let object: JSONObject
    private var taken = TakenPositions()
    private let place: Place
    /// Where in the array it stands that the place is of; negative where it is of an object.
    private let position: Int

    /// The members nobody has asked for.
    ///
    /// Made when it is asked for: most readers have no use for it, and taking members out of the object would copy it.
    var rest: JSONObject {
        var rest = JSONObject()
        for (position, member) in object.enumerated() where !taken.contains(position) {
            rest[member.key] = member.value
        }
        return rest
    }

    init(_ json: JSON, of document: String) throws(Failure) {
        guard case .object(let object) = json else {
            throw Failure(.invalid, "invalid \(document): expected an object, found \(json.kindName)")
        }
        self.object = object
        place = Place(.document, document)
        position = -1
    }

    fileprivate init(_ object: JSONObject, at place: Place, _ position: Int) {
        self.object = object
        self.place = place
        self.position = position
    }

    private mutating func take<T>(
        _ key: String, _ expected: String, _ read: (JSON) -> T?
    ) throws(Failure) -> T? {
        guard let position = object.position(ignoringCaseOf: key) else { return nil }
        taken.insert(position)
        let value = object.value(at: position)
        if value.isNull { return nil }
        guard let result = read(value) else {
            throw failure(key, "expected \(expected), found \(value.kindName)")
        }
        return result
    }

    mutating func string(_ key: String) throws(Failure) -> String? { try take(key, "a string", \.stringValue) }
    mutating func bool(_ key: String) throws(Failure) -> Bool? { try take(key, "a boolean", \.boolValue) }
    mutating func integer(_ key: String) throws(Failure) -> Int64? { try take(key, "a whole number", \.intValue) }

    mutating func unsigned(_ key: String) throws(Failure) -> UInt64? {
        try take(key, "a whole number that is not negative", \.unsignedValue)
    }

    /// A whole number of at most 32 bits: ids, modes, device numbers.
    ///
    /// Out of range is an error, never a wrap.
    mutating func unsigned32(_ key: String) throws(Failure) -> UInt32? {
        try take(key, "a whole number from 0 to 4294967295") { value in
            value.unsignedValue.flatMap { UInt32(exactly: $0) }
        }
    }

    mutating func integer32(_ key: String) throws(Failure) -> Int32? {
        try take(key, "a whole number of 32 bits") { value in value.intValue.flatMap { Int32(exactly: $0) } }
    }

    mutating func unsigned32s(_ key: String) throws(Failure) -> [UInt32]? {
        try take(key, "an array of whole numbers from 0 to 4294967295") { value in
            guard let array = value.arrayValue else { return nil }
            let numbers = array.compactMap { $0.unsignedValue.flatMap { UInt32(exactly: $0) } }
            return numbers.count == array.count ? numbers : nil
        }
    }

    /// A failure that names a member of this object.
    ///
    /// One line, whatever the document's author wrote: control characters are shown by their numbers.
    func failure(_ key: String, _ problem: String) -> Failure {
        var message = ""
        for scalar in "\(place.text(of: position))\(key): \(problem)".unicodeScalars {
            if scalar.value < 0x20 || scalar.value == 0x7F {
                message += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                message.unicodeScalars.append(scalar)
            }
        }
        return Failure(.invalid, message)
    }

    mutating func strings(_ key: String) throws(Failure) -> [String]? {
        try take(key, "an array of strings") { value in
            guard let array = value.arrayValue else { return nil }
            let strings = array.compactMap(\.stringValue)
            return strings.count == array.count ? strings : nil
        }
    }

    mutating func stringMap(_ key: String) throws(Failure) -> [String: String] {
        let map: [String: String]? = try take(key, "an object of strings") { value in
            guard let object = value.objectValue else { return nil }
            var map: [String: String] = [:]
            for (name, member) in object {
                guard let text = member.isNull ? "" : member.stringValue else { return nil }
                map[name] = text
            }
            return map
        }
        return map ?? [:]
    }

    /// The member names of Go's `map[string]struct{}`.
    mutating func keys(_ key: String) throws(Failure) -> [String] {
        try take(key, "an object", \.objectValue)?.keys ?? []
    }

    mutating func object(_ key: String) throws(Failure) -> Members? {
        guard let object = try take(key, "an object", \.objectValue) else { return nil }
        return Members(object, at: Place(.object(place, position), key), -1)
    }

    /// The objects of an array, one after another; none where the member is not there.
    mutating func objects(_ key: String) throws(Failure) -> Elements {
        let array = try take(key, "an array of objects") { value -> [JSON]? in
            guard let array = value.arrayValue, array.allSatisfy({ $0.objectValue != nil }) else { return nil }
            return array
        }
        return Elements(array: array ?? [], place: Place(.object(place, position), key))
    }

    /// Each element is made when its turn comes: a list of all would be of a type that is made at run time.
    struct Elements: Sequence, IteratorProtocol {
        fileprivate let array: [JSON]
        fileprivate let place: Place
        private var position = 0

        fileprivate init(array: [JSON], place: Place) {
            self.array = array
            self.place = place
        }

        mutating func next() -> Members? {
            guard position < array.count, let object = array[position].objectValue else { return nil }
            defer { position += 1 }
            return Members(object, at: place, position)
        }
    }
}

/// Where in a document an object or an array stands.
///
/// It is put into words for messages only: most documents are all right.
private final class Place: Sendable {
    enum Around: Sendable {
        case document
        /// The object it is a member of, with that one's own position.
        case object(Place, Int)
    }

    private let around: Around
    private let name: String

    init(_ around: Around, _ name: String) {
        self.around = around
        self.name = name
    }

    /// - Parameter position: of an element; negative for the object itself.
    func text(of position: Int) -> String {
        guard case .object(let place, let own) = around else { return "invalid \(name): " }
        let whole = place.text(of: own) + name
        return position < 0 ? whole + "." : "\(whole)[\(position)]."
    }
}

/// Which members of an object were taken: a bit each for those most objects have, a list for the rest.
private struct TakenPositions {
    private var first: UInt64 = 0
    private var others: [Int] = []

    mutating func insert(_ position: Int) {
        if position < 64 {
            first |= 1 << UInt64(position)
        } else {
            others.append(position)
        }
    }

    func contains(_ position: Int) -> Bool {
        position < 64 ? first & 1 << UInt64(position) != 0 : others.contains(position)
    }
}
