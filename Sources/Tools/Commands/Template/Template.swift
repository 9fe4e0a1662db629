internal import Failures
internal import JSON

/// A Go template over JSON: the language of `--format`.
///
/// The parts of text/template that people use with Docker are here: fields, variables, pipelines, `if`, `range`, `with`,
/// the comparison functions and Docker's own. Maps are walked in the order of their keys, as in Go. A member that is not
/// there counts as nothing in conditions and comparisons, and is an error where it would be shown.
struct Template: Sendable {
    private let nodes: [TemplateNode]

    init(_ text: String) throws(Failure) { nodes = try TemplateParser.parse(text) }

    /// - Parameter methods: what a row can be asked with arguments: `{{.Label "name"}}`.
    func render(
        _ value: JSON, methods: [String: @Sendable ([JSON]) -> JSON] = [:]
    ) throws(Failure) -> String {
        var evaluator = TemplateEvaluator(root: value, methods: methods)
        _ = try evaluator.run(nodes, dot: value)
        return evaluator.output
    }
}

/// Walks the nodes and gathers the text.
struct TemplateEvaluator {
    private(set) var output = ""
    private let root: JSON
    private let methods: [String: @Sendable ([JSON]) -> JSON]
    private var scopes: [[String: JSON]]
    private var steps = 0

    /// A template is typed by whoever runs it, so this only stops accidents.
    private static let maximumSteps = 5_000_000

    init(root: JSON, methods: [String: @Sendable ([JSON]) -> JSON]) {
        self.root = root
        self.methods = methods
        scopes = [["": root]]
    }

    /// A value, or the name of a member that is not there.
    private enum Value {
        case value(JSON)
        case missing(String)

        var json: JSON {
            if case .value(let json) = self { json } else { .null }
        }
    }

    enum Flow {
        case goOn, breakLoop, continueLoop
    }

    mutating func run(_ nodes: [TemplateNode], dot: JSON) throws(Failure) -> Flow {
        for node in nodes {
            steps += 1
            guard steps < Self.maximumSteps else { throw templateFailure("the template does not end") }
            switch node {
            case .text(let text): output += text
            case .output(let pipeline):
                let value = try evaluate(pipeline, dot: dot)
                if !pipeline.variables.isEmpty { continue }
                if case .missing(let name) = value {
                    throw templateFailure("map has no entry for key \"\(name)\"")
                }
                output += GoText.print(value.json)
            case .condition(let pipeline, let then, let otherwise):
                scopes.append([:])
                defer { scopes.removeLast() }
                let holds = GoText.isTrue(try evaluate(pipeline, dot: dot).json)
                let flow = try run(holds ? then : otherwise, dot: dot)
                if flow != .goOn { return flow }
            case .with(let pipeline, let then, let otherwise):
                scopes.append([:])
                defer { scopes.removeLast() }
                let value = try evaluate(pipeline, dot: dot).json
                let holds = GoText.isTrue(value)
                let flow = try run(holds ? then : otherwise, dot: holds ? value : dot)
                if flow != .goOn { return flow }
            case .range(let pipeline, let body, let otherwise):
                try loop(pipeline, body, otherwise, dot: dot)
            case .breakLoop: return .breakLoop
            case .continueLoop: return .continueLoop
            }
        }
        return .goOn
    }

    private mutating func loop(
        _ pipeline: TemplatePipeline, _ body: [TemplateNode], _ otherwise: [TemplateNode], dot: JSON
    ) throws(Failure) {
        var source = pipeline
        source.variables = []
        let elements: [(JSON, JSON)]
        switch try evaluate(source, dot: dot).json {
        case .array(let array): elements = array.enumerated().map { (JSON($0.offset), $0.element) }
        case .object(let object): elements = object.sorted().map { (.string($0.key), $0.value) }
        case .integer(let count): elements = (0..<max(0, min(count, 1_000_000))).map { (.integer($0), .integer($0)) }
        case .null: elements = []
        case let other: throw templateFailure("range can't iterate over \(GoText.print(other))")
        }
        if elements.isEmpty { _ = try run(otherwise, dot: dot) }
        for (key, element) in elements {
            var scope: [String: JSON] = [:]
            switch pipeline.variables.count {
            case 1: scope[pipeline.variables[0]] = element
            case 2...:
                scope[pipeline.variables[0]] = key
                scope[pipeline.variables[1]] = element
            default: break
            }
            scopes.append(scope)
            defer { scopes.removeLast() }
            if try run(body, dot: element) == .breakLoop { break }
        }
    }

    // MARK: Values

    private mutating func evaluate(_ pipeline: TemplatePipeline, dot: JSON) throws(Failure) -> Value {
        var piped: JSON?
        var result = Value.value(.null)
        for command in pipeline.commands {
            result = try evaluate(command, piped: piped, dot: dot)
            piped = result.json
        }
        for name in pipeline.variables { set(name, result.json, existing: pipeline.assigns) }
        return result
    }

    private mutating func set(_ name: String, _ value: JSON, existing: Bool) {
        if existing, let scope = scopes.lastIndex(where: { $0[name] != nil }) {
            scopes[scope][name] = value
        } else {
            scopes[scopes.count - 1][name] = value
        }
    }

    private mutating func evaluate(
        _ command: [TemplateOperand], piped: JSON?, dot: JSON
    ) throws(Failure) -> Value {
        guard let first = command.first else { return .value(.null) }
        var arguments: [JSON] = []
        switch first {
        case .function(let name):
            // These two stop at the first argument that decides.
            if name == "and" || name == "or" {
                var value = JSON.null
                for operand in command.dropFirst() {
                    value = try self.value(operand, dot: dot).json
                    if GoText.isTrue(value) == (name == "or") { return .value(value) }
                }
                return .value(piped ?? value)
            }
            for operand in command.dropFirst() { arguments.append(try value(operand, dot: dot).json) }
            if let piped { arguments.append(piped) }
            return .value(try TemplateFunctions.call(name, arguments))
        case .fields(.dot, let names) where names.count == 1 && methods[names[0]] != nil && dot == root:
            for operand in command.dropFirst() { arguments.append(try value(operand, dot: dot).json) }
            if let piped { arguments.append(piped) }
            return .value(methods[names[0]]?(arguments) ?? .null)
        default:
            guard command.count == 1, piped == nil else {
                throw templateFailure("can't give argument to non-function")
            }
            return try value(first, dot: dot)
        }
    }

    private mutating func value(_ operand: TemplateOperand, dot: JSON) throws(Failure) -> Value {
        switch operand {
        case .dot: return .value(dot)
        case .null: return .value(.null)
        case .string(let text): return .value(.string(text))
        case .integer(let value): return .value(.integer(value))
        case .double(let value): return .value(.double(value))
        case .bool(let value): return .value(.bool(value))
        case .variable(let name):
            guard let value = scopes.last(where: { $0[name] != nil })?[name] else {
                throw templateFailure("undefined variable \"$\(name)\"")
            }
            return .value(value)
        case .function(let name): return .value(try TemplateFunctions.call(name, []))
        case .nested(let pipeline): return try evaluate(pipeline, dot: dot)
        case .fields(let base, let names):
            var value = try value(base, dot: dot)
            for name in names { value = try member(name, of: value) }
            return value
        }
    }

    private func member(_ name: String, of value: Value) throws(Failure) -> Value {
        switch value {
        case .missing: return value
        case .value(.object(let object)): return object[name].map { .value($0) } ?? .missing(name)
        case .value(.null): return .missing(name)
        case .value(let other):
            throw templateFailure("can't evaluate field \(name) in \(GoText.print(other)), \(other.kindName)")
        }
    }
}
