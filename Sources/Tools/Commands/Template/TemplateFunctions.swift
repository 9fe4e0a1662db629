internal import Failures
internal import JSON

/// The functions of Go's templates and of Docker's.
enum TemplateFunctions {
    static func call(_ name: String, _ arguments: [JSON]) throws(Failure) -> JSON {
        func need(_ count: Int) throws(Failure) {
            guard arguments.count >= count else {
                throw templateFailure("wrong number of args for \(name): want at least \(count) got \(arguments.count)")
            }
        }
        func text(_ index: Int) -> String { arguments.indices.contains(index) ? GoText.print(arguments[index]) : "" }
        switch name {
        case "json":
            try need(1)
            return .string(arguments[0].text)
        case "join":
            try need(2)
            let parts = arguments[0].arrayValue?.map(GoText.print) ?? []
            return .string(parts.joined(separator: text(1)))
        case "split":
            try need(2)
            return JSON(split(text(0), text(1)))
        case "lower": return .string(text(0).lowercased())
        case "upper": return .string(text(0).uppercased())
        case "title":
            return .string(
                text(0).split(separator: " ", omittingEmptySubsequences: false).map(capitalised).joined(separator: " "))
        case "truncate":
            try need(2)
            return .string(String(text(0).prefix(Int(arguments[1].intValue ?? 0))))
        case "pad":
            try need(3)
            let spaces = { (index: Int) in String(repeating: " ", count: max(0, Int(arguments[index].intValue ?? 0))) }
            return text(0).isEmpty ? arguments[0] : .string(spaces(1) + text(0) + spaces(2))
        case "print": return .string(arguments.map(GoText.print).joined())
        case "println": return .string(arguments.map(GoText.print).joined(separator: " ") + "\n")
        case "printf": return .string(formatted(text(0), Array(arguments.dropFirst())))
        case "len":
            try need(1)
            return try length(arguments[0])
        case "index":
            try need(1)
            return try arguments.dropFirst().reduceTyped(arguments[0], element)
        case "slice":
            try need(1)
            return try slice(arguments)
        case "not":
            try need(1)
            return .bool(!GoText.isTrue(arguments[0]))
        case "eq":
            try need(2)
            return .bool(arguments.dropFirst().contains { isEqual(arguments[0], $0) })
        case "ne":
            try need(2)
            return .bool(!isEqual(arguments[0], arguments[1]))
        case "lt", "le", "gt", "ge":
            try need(2)
            return .bool(try compare(name, arguments[0], arguments[1]))
        case "html", "js", "urlquery": return .string(text(0))
        default: throw templateFailure("function \"\(name)\" not defined")
        }
    }

    private static func capitalised(_ word: Substring) -> String {
        guard let first = word.first else { return "" }
        return first.uppercased() + word.dropFirst()
    }

    private static func split(_ text: String, _ separator: String) -> [String] {
        if separator.isEmpty { return text.map { String($0) } }
        var parts: [String] = []
        var part = ""
        var rest = text[...]
        while !rest.isEmpty {
            if rest.hasPrefix(separator) {
                parts.append(part)
                part = ""
                rest = rest.dropFirst(separator.count)
            } else {
                part.append(rest.removeFirst())
            }
        }
        return parts + [part]
    }

    private static func length(_ value: JSON) throws(Failure) -> JSON {
        switch value {
        case .null: 0
        case .string(let text): JSON(text.utf8.count)
        case .array(let array): JSON(array.count)
        case .object(let object): JSON(object.count)
        default: throw templateFailure("len of \(value.kindName)")
        }
    }

    private static func element(_ value: JSON, _ key: JSON) throws(Failure) -> JSON {
        switch value {
        case .object(let object):
            // Go gives the zero value of the map's type; of our maps that is mostly the empty text.
            return object[GoText.print(key)] ?? .string("")
        case .array(let array):
            guard let index = key.intValue, array.indices.contains(Int(index)) else {
                throw templateFailure("error calling index: index out of range: \(GoText.print(key))")
            }
            return array[Int(index)]
        case .null: throw templateFailure("error calling index: index of untyped nil")
        default: throw templateFailure("error calling index: can't index item of type \(value.kindName)")
        }
    }

    private static func slice(_ arguments: [JSON]) throws(Failure) -> JSON {
        let bounds = arguments.dropFirst().map { Int($0.intValue ?? -1) }
        let count: Int
        switch arguments[0] {
        case .string(let text): count = text.count
        case .array(let array): count = array.count
        default: throw templateFailure("error calling slice: can't slice \(arguments[0].kindName)")
        }
        let start = bounds.first ?? 0
        let end = bounds.count > 1 ? bounds[1] : count
        guard 0 <= start, start <= end, end <= count else {
            throw templateFailure("error calling slice: index out of range")
        }
        if case .array(let array) = arguments[0] { return .array(Array(array[start..<end])) }
        let text = GoText.print(arguments[0])
        return .string(String(text.dropFirst(start).prefix(end - start)))
    }

    private static func isEqual(_ left: JSON, _ right: JSON) -> Bool {
        if let a = left.doubleValue, let b = right.doubleValue { return a == b }
        return left == right
    }

    private static func compare(_ name: String, _ left: JSON, _ right: JSON) throws(Failure) -> Bool {
        func holds<T: Comparable>(_ a: T, _ b: T) -> Bool {
            switch name {
            case "lt": a < b
            case "le": a <= b
            case "gt": a > b
            default: a >= b
            }
        }
        if let a = left.doubleValue, let b = right.doubleValue { return holds(a, b) }
        if let a = left.stringValue, let b = right.stringValue { return holds(a, b) }
        throw templateFailure("error calling \(name): incompatible types for comparison")
    }

    // MARK: printf

    /// Go's `Sprintf` for the verbs that make sense on JSON: %s %v %d %q %t %x %f %g %%, with flags, width, precision.
    static func formatted(_ format: String, _ arguments: [JSON]) -> String {
        var output = ""
        var rest = format[...]
        var next = arguments[...]
        while let character = rest.popFirst() {
            guard character == "%" else {
                output.append(character)
                continue
            }
            let flags = rest.prefix { "-+# 0".contains($0) }
            rest = rest[flags.endIndex...]
            let width = rest.prefix(while: \.isNumber)
            rest = rest[width.endIndex...]
            var precision: Int?
            if rest.first == "." {
                rest.removeFirst()
                let text = rest.prefix(while: \.isNumber)
                rest = rest[text.endIndex...]
                precision = Int(text) ?? 0
            }
            guard let verb = rest.popFirst() else { return output + "%!(NOVERB)" }
            if verb == "%" {
                output.append("%")
                continue
            }
            guard let argument = next.popFirst() else {
                output += "%!\(verb)(MISSING)"
                continue
            }
            let text = spelled(argument, verb, precision)
            output += filled(text, Int(width) ?? 0, left: flags.contains("-"), zeros: flags.contains("0"))
        }
        return output
    }

    private static func spelled(_ value: JSON, _ verb: Character, _ precision: Int?) -> String {
        switch verb {
        case "q": return GoText.quoted(GoText.print(value))
        case "x":
            if let number = value.intValue { return String(number, radix: 16) }
            return GoText.print(value).utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        case "f": return ByteSize.decimals(value.doubleValue ?? 0, precision ?? 6)
        case "g": return precision.map { ByteSize.significant(value.doubleValue ?? 0, $0) } ?? GoText.print(value)
        case "s": return precision.map { String(GoText.print(value).prefix($0)) } ?? GoText.print(value)
        case "v", "d", "t": return GoText.print(value)
        default: return "%!\(verb)(\(GoText.print(value)))"
        }
    }

    private static func filled(_ text: String, _ width: Int, left: Bool, zeros: Bool) -> String {
        let missing = width - text.count
        guard missing > 0 else { return text }
        if left { return text + String(repeating: " ", count: missing) }
        return String(repeating: zeros ? "0" : " ", count: missing) + text
    }
}

extension Sequence {
    /// `reduce` that keeps the type of what is thrown.
    fileprivate func reduceTyped<Result>(
        _ initial: Result, _ step: (Result, Element) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var result = initial
        for element in self { result = try step(result, element) }
        return result
    }
}
