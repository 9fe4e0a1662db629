internal import Failures

/// Makes nodes of the parts of a template.
struct TemplateParser {
    private var parts: ArraySlice<TemplatePart>

    private init(_ parts: [TemplatePart]) { self.parts = parts[...] }

    static func parse(_ text: String) throws(Failure) -> [TemplateNode] {
        var lexer = TemplateLexer(text)
        var parser = TemplateParser(try lexer.parts())
        let (nodes, end) = try parser.nodes()
        if let end { throw templateFailure("unexpected {{\(end.keyword)}}") }
        return nodes
    }

    /// What ended a list of nodes: `end`, or `else` with the tokens after it.
    private struct End {
        let keyword: String
        let tokens: [TemplateToken]
    }

    private mutating func nodes() throws(Failure) -> ([TemplateNode], End?) {
        var nodes: [TemplateNode] = []
        while let part = parts.popFirst() {
            switch part {
            case .text(let text): nodes.append(.text(text))
            case .action(let raw):
                let tokens = Array(raw.drop { $0 == .space })
                guard case .identifier(let keyword)? = tokens.first else {
                    nodes.append(.output(try pipeline(tokens)))
                    continue
                }
                let rest = Array(tokens.dropFirst())
                switch keyword {
                case "end", "else": return (nodes, End(keyword: keyword, tokens: rest))
                case "if", "with", "range": nodes.append(try block(keyword, rest))
                case "break": nodes.append(.breakLoop)
                case "continue": nodes.append(.continueLoop)
                default: nodes.append(.output(try pipeline(tokens)))
                }
            }
        }
        return (nodes, nil)
    }

    private mutating func block(_ keyword: String, _ tokens: [TemplateToken]) throws(Failure) -> TemplateNode {
        let pipeline = try pipeline(tokens)
        let (body, end) = try nodes()
        guard let end else { throw templateFailure("unexpected EOF") }
        var otherwise: [TemplateNode] = []
        if end.keyword == "else" {
            let after = Array(end.tokens.drop { $0 == .space })
            if case .identifier(let next)? = after.first, next == "if" || next == "with" {
                // `else if` is a block of its own that shares our end.
                otherwise = [try block(next, Array(after.dropFirst()))]
            } else {
                let (nodes, last) = try nodes()
                guard last?.keyword == "end" else { throw templateFailure("unexpected EOF") }
                otherwise = nodes
            }
        }
        switch keyword {
        case "if": return .condition(pipeline, then: body, otherwise: otherwise)
        case "with": return .with(pipeline, then: body, otherwise: otherwise)
        default: return .range(pipeline, body: body, otherwise: otherwise)
        }
    }

    // MARK: Pipelines

    private func pipeline(_ tokens: [TemplateToken]) throws(Failure) -> TemplatePipeline {
        var reader = OperandReader(tokens)
        let pipeline = try reader.pipeline()
        guard reader.isAtEnd else { throw templateFailure("unexpected operand") }
        return pipeline
    }
}

/// Reads the operands of one action.
private struct OperandReader {
    private var tokens: ArraySlice<TemplateToken>

    init(_ tokens: [TemplateToken]) { self.tokens = tokens[...] }

    var isAtEnd: Bool { tokens.allSatisfy { $0 == .space } }

    private mutating func skipSpace() { while tokens.first == .space { tokens.removeFirst() } }

    mutating func pipeline() throws(Failure) -> TemplatePipeline {
        var pipeline = TemplatePipeline(commands: [])
        declaration(&pipeline)
        repeat {
            let command = try command()
            guard !command.isEmpty else { throw templateFailure("missing value for command") }
            pipeline.commands.append(command)
            skipSpace()
        } while take(.pipe)
        return pipeline
    }

    /// `$x :=`, `$x =`, `$i, $x :=`.
    private mutating func declaration(_ pipeline: inout TemplatePipeline) {
        var probe = self
        var names: [String] = []
        while true {
            probe.skipSpace()
            guard case .variable(let name)? = probe.tokens.first, !name.isEmpty else { return }
            probe.tokens.removeFirst()
            names.append(name)
            probe.skipSpace()
            if probe.take(.comma) { continue }
            if probe.take(.declare) { break }
            guard probe.take(.assign) else { return }
            pipeline.assigns = true
            break
        }
        pipeline.variables = names
        self = probe
    }

    private mutating func take(_ token: TemplateToken) -> Bool {
        guard tokens.first == token else { return false }
        tokens.removeFirst()
        return true
    }

    private mutating func command() throws(Failure) -> [TemplateOperand] {
        var operands: [TemplateOperand] = []
        while true {
            skipSpace()
            guard let token = tokens.first, token != .pipe, token != .close else { return operands }
            operands.append(try operand())
        }
    }

    private mutating func operand() throws(Failure) -> TemplateOperand {
        guard let token = tokens.popFirst() else { throw templateFailure("missing operand") }
        let base: TemplateOperand
        var fields: [String] = []
        switch token {
        case .dot: base = .dot
        case .field(let name):
            base = .dot
            fields.append(name)
        case .variable(let name): base = .variable(name)
        case .string(let text): base = .string(text)
        case .integer(let value): base = .integer(value)
        case .double(let value): base = .double(value)
        case .identifier("true"): base = .bool(true)
        case .identifier("false"): base = .bool(false)
        case .identifier("nil"): base = .null
        case .identifier(let name): base = .function(name)
        case .open:
            base = .nested(try pipeline())
            skipSpace()
            guard take(.close) else { throw templateFailure("unclosed left paren") }
        default: throw templateFailure("unexpected token in operand")
        }
        while case .field(let name)? = tokens.first {
            tokens.removeFirst()
            fields.append(name)
        }
        return fields.isEmpty ? base : .fields(base, fields)
    }
}
