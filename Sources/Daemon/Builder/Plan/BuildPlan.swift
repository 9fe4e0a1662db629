internal import DockerfileSyntax
internal import OCI

/// Everything a build will do, decided before it does anything: the steps as they are shown, the graph that makes their
/// trees, and the image that comes out.
struct BuildPlan: Sendable {
    /// One instruction, in the order of the Dockerfile.
    struct Step: Sendable {
        /// From 1; `nil` for a trigger of a base image, which is shown under its FROM.
        var number: Int?
        var text: String
        /// Shown before the step.
        var note: String?
        /// The tree after it.
        var vertex: VertexID
        /// Whether that vertex is this step's own work; otherwise the step changes the config alone.
        var makesTree: Bool
        /// An ARG in front of all stages.
        var isGlobal = false
        /// A FROM, and the digits of the image it names; empty for `scratch`.
        var isBase = false
        var baseID: String?
        /// The config after it, and what history will say of it.
        var config: ImageConfig.Config
        var createdBy: String
        /// The line for messages.
        var range: SourceRange
    }

    var graph = BuildGraph<StepOperation>()
    var steps: [Step] = []
    /// How many steps are counted.
    var total = 0
    /// The stage that was asked for, at its end.
    var result: StageState
    var warnings: [String] = []
}
