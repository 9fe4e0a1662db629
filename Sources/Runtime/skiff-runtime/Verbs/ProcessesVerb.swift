internal import CLinux
internal import ContainerRuntime
internal import JSON
internal import Linux

/// `ps ID [PS OPTIONS]`: the container's processes, as the host's ps(1) shows them.
///
/// ps reads the host's procfs and nothing of the container's.
struct ProcessesVerb: Verb {
    static let name = "ps"
    static let summary = "list a container's processes"
    static let operands = "<container-id> [options of ps]"
    static let scattersFlags = false
    static let flags = Flags(
        """
        --format -f FORMAT  table or json
        """)

    private let id: String
    private let format: String
    private let options: [String]

    init(_ arguments: Arguments) throws {
        guard let id = arguments.rest.first else { throw Arguments.Misuse(description: "container id is missing") }
        self.id = id
        format = arguments.last("format") ?? "table"
        guard format == "table" || format == "json" else {
            throw Arguments.Misuse(description: "flag --format takes table or json, not \"\(format)\"")
        }
        options = Array(arguments.rest.dropFirst())
    }

    func run(_ context: RuntimeContext) throws {
        let pids = try processes(of: context.states.read(id))
        if format == "json" { return try writeAll(1, JSON.array(pids.map { .integer(Int64($0)) }).text + "\n") }
        let text = try listing(options.isEmpty ? ["-ef"] : options)
        try writeAll(1, Self.select(text, pids: Set(pids)))
    }

    /// What ps says of all processes.
    private func listing(_ options: [String]) throws -> String {
        guard let program = hostProgram("ps") else {
            throw RuntimeFailure(
                .specification, "ps is not installed on this host (Debian: procps); --format=json lists the numbers")
        }
        let pipe = try Pipe().release()
        let reading = OwnedDescriptor(owning: pipe.read)
        let child: pid_t
        do {
            let writing = OwnedDescriptor(owning: pipe.write)
            let environment = ["PATH", "HOME", "TERM", "LANG"].compactMap { name in
                environmentValue(name).map { "\(name)=\($0)" }
            }
            child = try Spawn(
                program, arguments: ["ps"] + options, environment: environment,
                descriptors: [(writing.raw, 1), (2, 2)], newSession: false
            ).start()
        }
        let text = String(decoding: try readAll(reading.raw), as: UTF8.self)
        guard case .exited(0)? = try PidFD(child).wait() else {
            throw RuntimeFailure(.specification, "ps \(options.joined(separator: " ")) failed")
        }
        return text
    }

    /// The heading, and the lines with one of the numbers in the column called PID.
    static func select(_ text: String, pids: Set<pid_t>) throws(RuntimeFailure) -> String {
        let lines = text.split(separator: "\n")
        let heading = lines.first ?? ""
        guard let column = heading.split(separator: " ").firstIndex(of: "PID") else {
            throw RuntimeFailure(.specification, "the options of ps leave out the column PID")
        }
        let ours = lines.dropFirst().filter { line in
            let words = line.split(separator: " ", maxSplits: column + 1)
            return words.count > column && pid_t(words[column]).map { pids.contains($0) } == true
        }
        return ([heading] + ours).map { $0 + "\n" }.joined()
    }
}

/// A program of the host by its name, as a shell finds it.
func hostProgram(_ name: String) -> String? {
    let path = environmentValue("PATH") ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return path.split(separator: ":").map { "\($0)/\(name)" }.first { $0.hasPrefix("/") && access($0, X_OK) == 0 }
}
