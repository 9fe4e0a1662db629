/// The lines of a Dockerfile something stands on, counted from 1.
public struct SourceRange: Hashable, Sendable {
    public var first: Int
    public var last: Int

    public init(_ first: Int, _ last: Int) {
        self.first = first
        self.last = last
    }

    public init(line: Int) { self.init(line, line) }
}

/// A Dockerfile that cannot be understood: where, and what is wrong there.
///
/// The words are those of Docker's parser, because tools search them for the line.
public struct DockerfileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// From 1; 0 for what is wrong with no line in particular.
    public let line: Int
    public let message: String

    public init(_ range: SourceRange, _ message: String) {
        line = range.first
        self.message = message
    }

    /// Something that is wrong with the whole.
    public init(_ message: String) {
        line = 0
        self.message = message
    }

    public var description: String { line == 0 ? message : "dockerfile parse error on line \(line): \(message)" }
}

/// What is wrong with an instruction, before anyone knows where it stands.
public struct SyntaxProblem: Error, Hashable, Sendable {
    public let message: String

    public init(_ message: String) { self.message = message }

    public func at(_ range: SourceRange) -> DockerfileError { DockerfileError(range, message) }
}

/// How much a Dockerfile may hold; beyond it is an attack, not a build.
public enum DockerfileBudget {
    /// Bytes of the whole text.
    public static let text = 4 << 20
    /// Instructions in one file, those of ONBUILD triggers not counted.
    static let instructions = 10_000
    /// Here-documents that one instruction opens.
    static let heredocs = 64
    /// Bytes of one word after expansion: without a bound, doubling a variable forty times fills the memory.
    static let expansion = 1 << 20
}
