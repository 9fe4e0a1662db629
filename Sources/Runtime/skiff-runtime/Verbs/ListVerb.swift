internal import ContainerRuntime
internal import JSON
internal import Linux

/// `list [--format table|json] [--quiet]`.
struct ListVerb {
    private let arguments: Arguments

    init(_ words: [String]) throws {
        arguments = try Arguments(words, flags: ["quiet"], options: ["format"], short: ["q": "quiet", "f": "format"])
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
            var rows = [["ID", "PID", "STATUS", "BUNDLE", "CREATED"]]
            for state in states {
                let status = StateVerb.currentStatus(state, context)
                rows.append([
                    state.id, status == .stopped ? "0" : "\(state.pid)", status.rawValue, state.bundle, state.created,
                ])
            }
            try writeAll(1, table(rows))
        case let other: throw Arguments.Misuse(description: "flag --format takes table or json, not \"\(other)\"")
        }
    }
}

/// Columns as wide as their widest entry, and three spaces between them.
func table(_ rows: [[String]]) -> String {
    var widths: [Int] = []
    for row in rows {
        for (index, cell) in row.enumerated() {
            if index == widths.count { widths.append(0) }
            widths[index] = max(widths[index], cell.count)
        }
    }
    return rows.map { row in
        row.enumerated().map { index, cell in
            index == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[index] - cell.count + 3)
        }.joined() + "\n"
    }.joined()
}

/// `ps [--format table|json] ID`: the numbers of the container's processes.
struct ProcessesVerb {
    private let id: String
    private let format: String

    init(_ words: [String]) throws {
        let arguments = try Arguments(words, options: ["format"], short: ["f": "format"])
        guard let id = arguments.rest.first else { throw Arguments.Misuse(description: "container id is missing") }
        self.id = id
        format = arguments.last("format") ?? "table"
    }

    func run(_ context: RuntimeContext) throws {
        let pids = try group(of: context.states.read(id)).processes()
        if format == "json" { return try writeAll(1, JSON.array(pids.map { .integer(Int64($0)) }).text + "\n") }
        var rows = [["PID", "CMD"]]
        for pid in pids {
            let line = (try? readText("/proc/\(pid)/cmdline", limit: 1 << 20)) ?? ""
            rows.append(["\(pid)", line.split(separator: "\0").joined(separator: " ")])
        }
        try writeAll(1, table(rows))
    }
}
