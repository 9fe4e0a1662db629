internal import ContainerRuntime
internal import JSON
internal import Linux

/// `features`: what this runtime can do, as JSON.
struct FeaturesVerb: Verb {
    static let name = "features"
    static let summary = "print what this runtime can do, as JSON"
    static let operands = ""

    init(_ arguments: Arguments) throws { try arguments.none() }

    func run(_ context: RuntimeContext) throws {
        try writeAll(1, RuntimeFeatures.document.serialized(pretty: true) + [UInt8(ascii: "\n")])
    }
}
