/// A parsed template.
indirect enum TemplateNode: Sendable {
    case text(String)
    case output(TemplatePipeline)
    case condition(TemplatePipeline, then: [TemplateNode], otherwise: [TemplateNode])
    case with(TemplatePipeline, then: [TemplateNode], otherwise: [TemplateNode])
    case range(TemplatePipeline, body: [TemplateNode], otherwise: [TemplateNode])
    case breakLoop
    case continueLoop
}

/// Commands whose values flow from left to right, and the variables that take the result.
struct TemplatePipeline: Sendable {
    var variables: [String] = []
    /// `=` changes a variable, `:=` makes one.
    var assigns = false
    var commands: [[TemplateOperand]]
}

/// What a command is made of.
indirect enum TemplateOperand: Sendable {
    case dot
    case null
    case string(String)
    case integer(Int64)
    case double(Double)
    case bool(Bool)
    case variable(String)
    case function(String)
    case nested(TemplatePipeline)
    /// `operand.A.B`; a bare `.A.B` has the dot as its operand.
    case fields(TemplateOperand, [String])
}
