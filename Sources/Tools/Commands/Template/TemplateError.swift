internal import Failures

/// The failure of a template, in Docker's words.
func templateFailure(_ message: String) -> Failure { Failure(.invalid, "template parsing error: \(message)") }
