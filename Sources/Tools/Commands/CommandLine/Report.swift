internal import EngineClient
internal import Failures

/// The words in which failures are told.
enum Report {
    /// One line: an engine's own words are marked as such, as Docker's client does it.
    static func line(for failure: Failure) -> String {
        failure.cause is EngineError ? "Error response from daemon: \(failure.message)" : failure.message
    }

    /// A usage error and the way to the help page.
    static func usage(_ message: String, command: String, usage: String, withUsage: Bool = true) -> String {
        var text = message
        if withUsage { text += "\n\nUsage:  \(command) \(usage)" }
        return text + "\n\nRun '\(command) --help' for more information"
    }

    /// "accepts no arguments", "requires at least 1 argument".
    static func arguments(_ expected: ClosedRange<Int>) -> String {
        func counted(_ count: Int) -> String { count == 1 ? "1 argument" : "\(count) arguments" }
        if expected == 0...0 { return "accepts no arguments" }
        if expected.lowerBound == expected.upperBound { return "requires \(counted(expected.lowerBound))" }
        if expected.upperBound == Int.max { return "requires at least \(counted(expected.lowerBound))" }
        if expected.lowerBound == 0 { return "requires at most \(counted(expected.upperBound))" }
        return "requires at least \(expected.lowerBound) and at most \(counted(expected.upperBound))"
    }
}
