internal import Failures
internal import JSON

/// Shows how a build goes: steps stand out on a terminal, everything is as the engine says it elsewhere.
struct BuildDisplay {
    private let console: Console
    private let quiet: Bool
    private let styled: Bool
    private var progress: ProgressDisplay
    private(set) var imageID: String?
    private var lastText = ""

    init(console: Console, quiet: Bool, styled: Bool) {
        self.console = console
        self.quiet = quiet
        self.styled = styled
        progress = ProgressDisplay(console: console)
    }

    mutating func show(_ message: JSON) throws(Failure) {
        if let id = message["aux"]?["ID"]?.stringValue { imageID = id }
        if message["error"] != nil || message["errorDetail"] != nil {
            let code = message["errorDetail"]?["code"]?.intValue
            do throws(Failure) { try progress.show(message) } catch {
                console.error(error.message)
                // The code is that of the command that failed; Docker's client ends with it.
                throw Exit.failure(ExitCode(Int32(truncatingIfNeeded: code.flatMap { $0 == 0 ? nil : $0 } ?? 1)))
            }
            return
        }
        guard let text = message["stream"]?.stringValue else {
            if !quiet { try progress.show(message) }
            return
        }
        lastText = text
        if quiet { return }
        progress.finish()
        console.write(styled ? Self.styled(text) : text)
        console.flush()
    }

    mutating func finish() throws(Failure) {
        progress.finish()
        guard quiet else { return }
        // With `q` the engine says the id and nothing else.
        let id = imageID ?? String(lastText.filter { !$0.isNewline })
        imageID = id
        console.print(id)
    }

    /// Steps bold, bookkeeping dim, the end green.
    static func styled(_ text: String) -> String {
        func dressed(_ code: String) -> String {
            let end = text.hasSuffix("\n") ? "\n" : ""
            let body = end.isEmpty ? text : String(text.dropLast())
            return "\u{1B}[\(code)m\(body)\u{1B}[0m\(end)"
        }
        if text.hasPrefix("Step ") { return dressed("1") }
        if text.hasPrefix(" --->") || text.hasPrefix("Removing intermediate container") { return dressed("2") }
        if text.hasPrefix("Successfully ") { return dressed("32") }
        return text
    }
}
