/// One pattern over slash-separated paths: `*` and `?` within a part, `[a-z]` classes, `**` for any number of parts.
///
/// COPY sources use it without `**`, `.dockerignore` with it. Matching walks all positions of the pattern at once, so a
/// pattern of many stars costs the product of both lengths and no more.
struct PathPattern: Hashable, Sendable {
    private enum Element: Hashable, Sendable {
        /// Any run within a part.
        case star
        /// Any run of whole parts: `**/`.
        case parts
        /// Any run, slashes included: `**` elsewhere.
        case rest
        case one
        case byte(UInt8)
        case set([ClosedRange<UInt32>], negated: Bool)
    }

    private let elements: [Element]
    /// The pattern as it was written.
    let text: String
    /// The bytes before the first wildcard: what does not begin so cannot match.
    private let literal: [UInt8]
    /// There is nothing but the literal.
    let isLiteral: Bool

    /// - Returns: `nil` when the pattern is broken: a class that does not end, an escape at the end.
    init?(_ text: String, crossesParts: Bool) {
        var elements: [Element] = []
        let scalars = Array(text.unicodeScalars)
        var at = 0
        while at < scalars.count {
            let scalar = scalars[at]
            at += 1
            switch scalar {
            case "*":
                guard crossesParts, at < scalars.count, scalars[at] == "*" else {
                    if elements.last != .star { elements.append(.star) }
                    continue
                }
                while at < scalars.count, scalars[at] == "*" { at += 1 }
                if at < scalars.count, scalars[at] == "/" {
                    // `**/x` matches `x` itself too.
                    at += 1
                    elements.append(.parts)
                } else {
                    elements.append(.rest)
                }
            case "?": elements.append(.one)
            case "[":
                guard let (set, end) = Self.set(scalars, at) else { return nil }
                elements.append(set)
                at = end
            case "\\":
                guard at < scalars.count else { return nil }
                for byte in Array(String(scalars[at]).utf8) { elements.append(.byte(byte)) }
                at += 1
            default: for byte in Array(String(scalar).utf8) { elements.append(.byte(byte)) }
            }
        }
        self.text = text
        self.elements = elements
        var literal: [UInt8] = []
        for element in elements {
            guard case .byte(let byte) = element else { break }
            literal.append(byte)
        }
        self.literal = literal
        isLiteral = literal.count == elements.count
    }

    /// Whether the whole path matches.
    func matches(_ path: String) -> Bool {
        let bytes = Array(path.utf8)
        if isLiteral { return bytes == literal }
        guard bytes.starts(with: literal) else { return false }
        var states = [Bool](repeating: false, count: elements.count + 1)
        enter(literal.count, &states)
        var at = literal.count
        while at < bytes.count {
            let byte = bytes[at]
            // `?` and classes take a whole character, which may be several bytes.
            let width = Self.width(byte)
            let end = min(at + width, bytes.count)
            var next = [Bool](repeating: false, count: states.count)
            var scalar: UInt32 = UInt32(byte)
            if width > 1 {
                scalar = String(decoding: bytes[at..<end], as: UTF8.self).unicodeScalars.first?.value ?? scalar
            }
            for state in 0..<elements.count where states[state] {
                switch elements[state] {
                case .star: if byte != ASCII.slash { enter(state, &next) }
                case .rest: enter(state, &next)
                case .parts:
                    next[state] = true
                    if byte == ASCII.slash { enter(state + 1, &next) }
                case .one: if byte != ASCII.slash { enter(state + 1, &next) }
                case .byte(let wanted):
                    guard wanted == byte else { continue }
                    if width == 1 {
                        enter(state + 1, &next)
                    } else if run(state, bytes[at..<end]) {
                        enter(state + width, &next)
                    }
                case .set(let ranges, let negated):
                    if byte != ASCII.slash, ranges.contains(where: { $0.contains(scalar) }) != negated {
                        enter(state + 1, &next)
                    }
                }
            }
            states = next
            at = end
        }
        return states[elements.count]
    }

    /// Whether the elements from `state` on are just these bytes.
    private func run(_ state: Int, _ bytes: ArraySlice<UInt8>) -> Bool {
        guard state + bytes.count <= elements.count else { return false }
        return zip(elements[state...], bytes).allSatisfy { $0 == .byte($1) }
    }

    private func enter(_ state: Int, _ states: inout [Bool]) {
        states[state] = true
        guard state < elements.count else { return }
        switch elements[state] {
        case .star, .parts, .rest: enter(state + 1, &states)
        default: break
        }
    }

    private static func width(_ lead: UInt8) -> Int { lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4 }

    /// The class that begins at `start`, behind its bracket.
    private static func set(_ scalars: [Unicode.Scalar], _ start: Int) -> (Element, Int)? {
        var at = start
        var ranges: [ClosedRange<UInt32>] = []
        let negated = at < scalars.count && scalars[at] == "^"
        if negated { at += 1 }
        func character() -> UInt32? {
            guard at < scalars.count else { return nil }
            if scalars[at] == "\\" { at += 1 }
            guard at < scalars.count else { return nil }
            at += 1
            return scalars[at - 1].value
        }
        while at < scalars.count {
            if scalars[at] == "]", !ranges.isEmpty { return (.set(ranges, negated: negated), at + 1) }
            guard scalars[at] != "-" && scalars[at] != "]", let low = character() else { return nil }
            var high = low
            if at < scalars.count, scalars[at] == "-" {
                at += 1
                guard at < scalars.count, scalars[at] != "]", let end = character() else { return nil }
                high = end
            }
            guard low <= high else { return nil }
            ranges.append(low...high)
        }
        return nil
    }
}
