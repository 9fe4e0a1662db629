/// One pattern over slash-separated paths: `*` and `?` within a part, `[a-z]` classes, `**` for any number of parts.
///
/// COPY sources use it without `**`, `.dockerignore` with it. Matching walks all positions of the pattern at once, so a
/// pattern of many stars costs the product of both lengths and no more.
public struct PathPattern: Hashable, Sendable {
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
    public let text: String
    /// The bytes before the first wildcard: what does not begin so cannot match.
    private let literal: [UInt8]
    /// There is nothing but the literal.
    public let isLiteral: Bool

    /// - Returns: `nil` when the pattern is broken: a class that does not end, an escape at the end.
    public init?(_ text: String, crossesParts: Bool) {
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
    public func matches(_ path: ArraySlice<UInt8>) -> Bool {
        if isLiteral { return path.elementsEqual(literal) }
        guard path.starts(with: literal) else { return false }
        // States are bits of one word for every pattern that people write: a context has ten thousands of paths.
        return elements.count < UInt64.bitWidth
            ? walk(path.dropFirst(literal.count), States(bits: 0))
            : walk(path.dropFirst(literal.count), States(wide: elements.count + 1))
    }

    /// The set of places in the pattern that the bytes so far may have led to.
    private struct States {
        var bits: UInt64 = 0
        var wide: [Bool] = []

        init(bits: UInt64) { self.bits = bits }
        init(wide count: Int) { wide = [Bool](repeating: false, count: count) }

        func contains(_ state: Int) -> Bool { wide.isEmpty ? bits & (1 << UInt64(state)) != 0 : wide[state] }
        mutating func insert(_ state: Int) {
            if wide.isEmpty { bits |= 1 << UInt64(state) } else { wide[state] = true }
        }
        var isEmpty: Bool { wide.isEmpty ? bits == 0 : !wide.contains(true) }
    }

    private func walk(_ path: ArraySlice<UInt8>, _ none: States) -> Bool {
        var states = none
        enter(literal.count, &states)
        var rest = path
        while let byte = rest.first {
            // `?` and classes take a whole character, which may be several bytes.
            let width = Self.width(byte)
            var next = none
            for state in 0..<elements.count where states.contains(state) {
                switch elements[state] {
                case .star: if byte != ASCII.slash { enter(state, &next) }
                case .rest: enter(state, &next)
                case .parts:
                    next.insert(state)
                    if byte == ASCII.slash { enter(state + 1, &next) }
                case .one: if byte != ASCII.slash { enter(state + 1, &next) }
                case .byte(let wanted):
                    guard wanted == byte else { continue }
                    if width == 1 {
                        enter(state + 1, &next)
                    } else if run(state, rest.prefix(width)) {
                        enter(state + width, &next)
                    }
                case .set(let ranges, let negated):
                    guard byte != ASCII.slash else { continue }
                    let scalar = width == 1 ? UInt32(byte) : rest.prefix(width).text.unicodeScalars.first?.value ?? 0
                    if ranges.contains(where: { $0.contains(scalar) }) != negated { enter(state + 1, &next) }
                }
            }
            states = next
            if states.isEmpty { return false }
            rest = rest.dropFirst(width)
        }
        return states.contains(elements.count)
    }

    /// Whether the elements from `state` on are just these bytes.
    private func run(_ state: Int, _ bytes: ArraySlice<UInt8>) -> Bool {
        guard state + bytes.count <= elements.count else { return false }
        return zip(elements[state...], bytes).allSatisfy { $0 == .byte($1) }
    }

    private func enter(_ state: Int, _ states: inout States) {
        states.insert(state)
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
