/// The query of a request: names with their values, in order, percent-decoded.
public struct Query: Sendable, Hashable {
    private let pairs: [(name: String, value: String)]

    public init(_ text: some StringProtocol) {
        pairs = text.split(separator: "&", omittingEmptySubsequences: true).map { pair in
            guard let equals = pair.firstIndex(of: "=") else { return (percentDecoded(pair, plusIsSpace: true), "") }
            return (
                percentDecoded(pair[..<equals], plusIsSpace: true),
                percentDecoded(pair[pair.index(after: equals)...], plusIsSpace: true)
            )
        }
    }

    public static func == (left: Query, right: Query) -> Bool {
        left.pairs.elementsEqual(right.pairs) { $0 == $1 }
    }

    public func hash(into hasher: inout Hasher) {
        for pair in pairs {
            hasher.combine(pair.name)
            hasher.combine(pair.value)
        }
    }

    /// The first value of a name; nil when the name is not there.
    public subscript(name: String) -> String? { pairs.first { $0.name == name }?.value }

    /// Every value of a name that may be repeated.
    public func all(_ name: String) -> [String] { pairs.filter { $0.name == name }.map(\.value) }

    public var names: [String] { pairs.map(\.name) }

    /// A switch by Docker's rule: empty, `0`, `no`, `false` and `none` are off, anything else is on.
    public func flag(_ name: String, default fallback: Bool = false) -> Bool {
        guard let value = self[name] else { return fallback }
        return !["", "0", "no", "false", "none"].contains(value.trimmingSpaces().lowercased())
    }
}

extension String {
    fileprivate func trimmingSpaces() -> Substring {
        var rest = self[...]
        while rest.first == " " { rest.removeFirst() }
        while rest.last == " " { rest.removeLast() }
        return rest
    }
}

/// `text` with `%XX` replaced by the bytes they stand for; a broken escape stays as it is.
public func percentDecoded(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String {
    var bytes: [UInt8] = []
    var source = Array(text.utf8)[...]
    guard source.contains(0x25) || (plusIsSpace && source.contains(0x2B)) else { return String(text) }
    bytes.reserveCapacity(source.count)
    while let byte = source.popFirst() {
        if byte == 0x25, let high = source.first.flatMap(hexDigit), let low = source.dropFirst().first.flatMap(hexDigit)
        {
            bytes.append(high << 4 | low)
            source.removeFirst(2)
        } else if byte == 0x2B, plusIsSpace {
            bytes.append(0x20)
        } else {
            bytes.append(byte)
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
}
