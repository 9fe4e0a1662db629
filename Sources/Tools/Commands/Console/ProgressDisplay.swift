internal import Failures
internal import JSON

/// Shows a stream of progress messages: one line per layer that changes in place on a terminal, one line per change
/// of state elsewhere.
struct ProgressDisplay {
    private let console: Console
    private let toStandardError: Bool
    private let isTerminal: Bool
    /// Ids in the order of their lines.
    private var ids: [String] = []
    private var statuses: [String: String] = [:]
    private let width: Int

    init(console: Console, toStandardError: Bool = false) {
        self.console = console
        self.toStandardError = toStandardError
        isTerminal = toStandardError ? console.errorIsTerminal : console.outputIsTerminal
        width = console.width
    }

    /// Shows one message, or throws the error that it carries.
    mutating func show(_ message: JSON) throws(Failure) {
        if let text = message["errorDetail"]?["message"]?.stringValue ?? message["error"]?.stringValue {
            finish()
            throw Failure(.internal, text)
        }
        if let text = message["stream"]?.stringValue {
            finish()
            write(text)
            flush()
            return
        }
        guard let status = message["status"]?.stringValue else { return }
        let id = message["id"]?.stringValue ?? ""
        if id.isEmpty {
            finish()
            write("\(status)\n")
        } else if isTerminal {
            update(id, status, message["progressDetail"])
        } else if statuses[id] != status {
            // Every step once: without a terminal nobody watches a number grow.
            statuses[id] = status
            write("\(id): \(status)\n")
        }
        flush()
    }

    /// Leaves the lines as they are; what comes next begins below them.
    mutating func finish() {
        ids = []
        statuses = [:]
        flush()
    }

    private mutating func update(_ id: String, _ status: String, _ detail: JSON?) {
        let line = ellipsis("\(id): \(status)\(Self.bar(detail, width: width))", max(width - 1, 20))
        if let position = ids.firstIndex(of: id) {
            let up = ids.count - position
            write("\u{1B}[\(up)A\u{1B}[2K\r\(line)\u{1B}[\(up)B\r")
        } else {
            ids.append(id)
            write("\(line)\n")
        }
    }

    /// " [=====>     ]  12.3MB/45.6MB"; nothing when nothing is known.
    static func bar(_ detail: JSON?, width: Int) -> String {
        guard let current = detail?["current"]?.intValue, current > 0 else { return "" }
        let done = ByteSize.decimal(current, digits: 4)
        guard let total = detail?["total"]?.intValue, total > 0 else { return "  \(done)" }
        let room = width > 110 ? 50 : max(0, (width - 50) / 2)
        let part = min(1, Double(current) / Double(total))
        let filled = Int(part * Double(room))
        let text = "  \(done)/\(ByteSize.decimal(total, digits: 4))"
        guard room > 5 else { return text }
        let arrow = filled < room ? ">" : ""
        let rest = String(repeating: " ", count: max(0, room - filled - arrow.count))
        return " [\(String(repeating: "=", count: filled))\(arrow)\(rest)]\(text)"
    }

    private func write(_ text: String) {
        if toStandardError { console.errorText(text) } else { console.write(text) }
    }

    private func flush() { if !toStandardError { console.flush() } }
}
