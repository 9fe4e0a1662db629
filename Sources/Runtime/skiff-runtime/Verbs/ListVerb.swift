internal import ContainerRuntime
internal import JSON
internal import Linux

/// `list`: every container of the state directory.
struct ListVerb: Verb {
    static let name = "list"
    static let summary = "list containers"
    static let operands = ""
    static let flags = Flags(
        """
        --format -f FORMAT  table or json
        --quiet -q          only names
        """)

    private let arguments: Arguments

    init(_ arguments: Arguments) throws {
        try arguments.none()
        self.arguments = arguments
    }

    func run(_ context: RuntimeContext) throws {
        // A container that goes while the list is made is not on it.
        let states = try context.states.ids().compactMap { try? context.states.read($0) }
        if arguments.has("quiet") {
            return try writeAll(1, states.map { $0.id + "\n" }.joined())
        }
        switch arguments.last("format") ?? "table" {
        case "json":
            try writeAll(1, JSON.array(states.map { StateVerb.document($0, context) }).text + "\n")
        case "table":
            var rows = [["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]]
            for state in states {
                let status = StateVerb.currentStatus(state, context)
                rows.append([
                    state.id, status == .stopped ? "0" : "\(state.pid)", status.rawValue, state.bundle, state.created,
                    context.states.owner(state.id),
                ])
            }
            try writeAll(1, Self.table(rows))
        case let other: throw Arguments.Misuse(description: "flag --format takes table or json, not \"\(other)\"")
        }
    }

    /// Columns as wide as their widest entry, and three spaces between them.
    private static func table(_ rows: [[String]]) -> String {
        var widths: [Int] = []
        for row in rows {
            for (index, cell) in row.enumerated() {
                if index == widths.count { widths.append(0) }
                widths[index] = max(widths[index], cell.count)
            }
        }
        return rows.map { row in
            row.enumerated().map { index, cell in
                index == row.count - 1 ? cell : cell.padded(to: widths[index] + 3)
            }.joined() + "\n"
        }.joined()
    }
}
