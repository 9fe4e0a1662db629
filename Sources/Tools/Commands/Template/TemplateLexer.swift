internal import Failures

/// The pieces of an action.
enum TemplateToken: Hashable, Sendable {
    case dot
    /// `.Name`, directly after a value or by itself.
    case field(String)
    /// `$`, `$name`.
    case variable(String)
    case identifier(String)
    case string(String)
    case integer(Int64)
    case double(Double)
    case pipe, open, close, comma, declare, assign
    /// Separates arguments, so that `.A.B` and `.A .B` differ.
    case space
}

/// Text and actions of a template, in order.
enum TemplatePart: Hashable, Sendable {
    case text(String)
    case action([TemplateToken])
}

/// Cuts a template into text and actions, and actions into tokens, as Go's text/template has them.
struct TemplateLexer {
    private var rest: Substring

    init(_ text: String) { rest = text[...] }

    mutating func parts() throws(Failure) -> [TemplatePart] {
        var parts: [TemplatePart] = []
        var trimsNext = false
        while !rest.isEmpty {
            let text = takeText()
            var piece = trimsNext ? text.drop(while: \.isWhitespace) : text[...]
            trimsNext = false
            guard !rest.isEmpty else {
                append(piece, to: &parts)
                break
            }
            rest = rest.dropFirst(2)
            if rest.hasPrefix("-"), rest.dropFirst().first?.isWhitespace == true {
                rest = rest.dropFirst()
                while piece.last?.isWhitespace == true { piece.removeLast() }
            }
            append(piece, to: &parts)
            if let tokens = try action(trims: &trimsNext) { parts.append(.action(tokens)) }
        }
        return parts
    }

    private func append(_ text: Substring, to parts: inout [TemplatePart]) {
        if !text.isEmpty { parts.append(.text(String(text))) }
    }

    private mutating func takeText() -> String {
        var text = ""
        while let character = rest.first, !rest.hasPrefix("{{") {
            text.append(character)
            rest = rest.dropFirst()
        }
        return text
    }

    /// The tokens up to the closing braces; nil for a comment.
    private mutating func action(trims: inout Bool) throws(Failure) -> [TemplateToken]? {
        var tokens: [TemplateToken] = []
        let trimmed = rest.drop(while: \.isWhitespace)
        if trimmed.hasPrefix("/*") {
            rest = trimmed.dropFirst(2)
            while !rest.hasPrefix("*/") {
                guard !rest.isEmpty else { throw templateFailure("unclosed comment") }
                rest = rest.dropFirst()
            }
            rest = rest.dropFirst(2)
            guard closes(&trims) else { throw templateFailure("comment ends before closing delimiter") }
            return nil
        }
        while !closes(&trims) {
            guard let character = rest.first else { throw templateFailure("unclosed action") }
            if let token = try token(character) { tokens.append(token) }
        }
        return tokens
    }

    private mutating func closes(_ trims: inout Bool) -> Bool {
        let afterSpace = rest.drop(while: \.isWhitespace)
        if afterSpace.startIndex != rest.startIndex, afterSpace.hasPrefix("-}}") {
            rest = afterSpace.dropFirst(3)
            trims = true
            return true
        }
        guard afterSpace.hasPrefix("}}") else { return false }
        rest = afterSpace.dropFirst(2)
        return true
    }

    private mutating func token(_ character: Character) throws(Failure) -> TemplateToken? {
        switch character {
        case _ where character.isWhitespace:
            rest = rest.drop(while: \.isWhitespace)
            return .space
        case "|": return single(.pipe)
        case "(": return single(.open)
        case ")": return single(.close)
        case ",": return single(.comma)
        case "=": return single(.assign)
        case ":":
            guard rest.hasPrefix(":=") else { throw templateFailure("expected :=") }
            rest = rest.dropFirst(2)
            return .declare
        case "\"": return .string(try quoted())
        case "`":
            rest = rest.dropFirst()
            guard let end = rest.firstIndex(of: "`") else { throw templateFailure("unterminated raw quoted string") }
            defer { rest = rest[rest.index(after: end)...] }
            return .string(String(rest[..<end]))
        case "$":
            rest = rest.dropFirst()
            return .variable(word())
        case ".":
            rest = rest.dropFirst()
            let name = word()
            return name.isEmpty ? .dot : .field(name)
        case _ where character.isNumber || character == "-" || character == "+": return try number()
        case _ where character.isLetter || character == "_": return .identifier(word())
        default: throw templateFailure("unexpected \"\(character)\" in operand")
        }
    }

    private mutating func single(_ token: TemplateToken) -> TemplateToken {
        rest = rest.dropFirst()
        return token
    }

    private mutating func word() -> String {
        let word = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
        rest = rest[word.endIndex...]
        return String(word)
    }

    private mutating func number() throws(Failure) -> TemplateToken {
        let text = rest.prefix { $0.isNumber || "+-.eExXabcdefABCDEF_".contains($0) }
        rest = rest[text.endIndex...]
        if let value = Int64(text) { return .integer(value) }
        if text.hasPrefix("0x"), let value = Int64(text.dropFirst(2), radix: 16) { return .integer(value) }
        guard let value = Double(text) else { throw templateFailure("bad number syntax: \"\(text)\"") }
        return .double(value)
    }

    private mutating func quoted() throws(Failure) -> String {
        rest = rest.dropFirst()
        var text = ""
        while let character = rest.popFirst() {
            if character == "\"" { return text }
            guard character == "\\" else {
                text.append(character)
                continue
            }
            switch rest.popFirst() {
            case "n": text.append("\n")
            case "t": text.append("\t")
            case "r": text.append("\r")
            case let other?: text.append(other)
            case nil: break
            }
        }
        throw templateFailure("unterminated quoted string")
    }
}
