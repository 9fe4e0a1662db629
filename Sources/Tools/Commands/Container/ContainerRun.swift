internal import CLinux
internal import DockerAPI
internal import EngineClient
internal import Failures
internal import JSON
internal import Linux

/// The calls that `run`, `create`, `start` and `attach` are made of.
struct ContainerRun {
    let client: EngineClient
    let console: Console

    /// "/containers/<id>", for any way to name it.
    static func path(_ container: String) -> String { "/containers/\(pathPart(container))" }

    // MARK: Create

    /// Makes the container, and fetches its image first when the engine has not got it.
    func create(
        _ request: ContainerRequest, name: String?, platform: String?, pull: String, quiet: Bool,
        environment: Environment
    ) throws(Failure) -> String {
        guard ["always", "missing", "never"].contains(pull) else {
            throw Failure(
                .invalid, "invalid pull option: '\(pull)': must be one of \"always\", \"missing\" or \"never\"")
        }
        let puller = ImagePull(client: client, console: console, environment: environment)
        func fetch() throws(Failure) {
            _ = try puller.pull(request.image, platform: platform, quiet: quiet, toStandardError: true)
        }
        if pull == "always" { try fetch() }
        do throws(Failure) { return try send(request, name, platform) } catch {
            // An engine says that something is missing here of nothing but the image, or its platform.
            guard let engine = error.cause as? EngineError, engine.status == 404, pull == "missing" else { throw error }
            if !quiet { console.error("Unable to find image '\(ImagePull.familiar(request.image))' locally") }
            try fetch()
            return try send(request, name, platform)
        }
    }

    private func send(_ request: ContainerRequest, _ name: String?, _ platform: String?) throws(Failure) -> String {
        var query: [(String, String)] = []
        if let name { query.append(("name", name)) }
        if let platform { query.append(("platform", platform)) }
        let body = try encoded(request.body)
        let answer = try client.json(Request(.post, "/containers/create", query: query, body: .json(body)))
        for warning in answer["Warnings"]?.arrayValue ?? [] {
            console.error("WARNING: \(warning.stringValue ?? warning.text)")
        }
        guard let id = answer["Id"]?.stringValue else {
            throw Failure(.internal, "the engine made a container without an id")
        }
        return id
    }

    /// Writes the id to a file that must not be there yet.
    static func claimIDFile(_ path: String) throws(Failure) {
        guard !exists(path) else {
            throw Failure(
                .invalid, "container ID file found, make sure the other container isn't running or delete \(path)")
        }
    }

    static func writeIDFile(_ path: String, _ id: String) throws(Failure) {
        do { try writeFile(path, Array(id.utf8)) } catch {
            throw Failure(.internal, "failed to write the container ID file: \(error)", cause: error)
        }
    }

    // MARK: Attach, wait, start

    func attach(
        _ id: String, stdin: Bool, stdout: Bool, stderr: Bool, detachKeys: String?
    ) throws(Failure) -> RawStream {
        var query = [("stream", "1")]
        if stdin { query.append(("stdin", "1")) }
        if stdout { query.append(("stdout", "1")) }
        if stderr { query.append(("stderr", "1")) }
        if let detachKeys { query.append(("detachKeys", detachKeys)) }
        return try client.hijack(Request(.post, "\(Self.path(id))/attach", query: query))
    }

    /// Begins to wait: the engine has heard of it when this returns; the answer comes when the container ends.
    func beginWaiting(_ id: String, condition: String) throws(Failure) -> Response {
        try client.call(Request(.post, "\(Self.path(id))/wait", query: [("condition", condition)]))
    }

    func start(_ id: String, detachKeys: String? = nil) throws(Failure) {
        let query = detachKeys.map { [("detachKeys", $0)] } ?? []
        try client.json(Request(.post, "\(Self.path(id))/start", query: query))
    }

    /// The exit code of the container whose end is waited for, signals served meanwhile.
    func exitCode(
        _ answer: Response, signals: SignalQueue, _ onSignal: (Int32) -> Void
    ) throws(Failure) -> ExitCode {
        try signals.wait(for: answer.descriptor, unless: answer.hasBuffered, onSignal)
        let result = try answer.json()
        if let message = result["Error"]?["Message"]?.stringValue, !message.isEmpty {
            console.error("Error waiting for container: \(message)")
            return .engine
        }
        return ExitCode(Int32(truncatingIfNeeded: result["StatusCode"]?.intValue ?? 125))
    }

    /// The exit code that tells why a container could not be started.
    static func exitCode(ofStartFailure failure: Failure) -> ExitCode {
        let text = failure.message.lowercased()
        if ["executable file not found", "no such file or directory"].contains(where: { text.has($0) }) {
            return .notFound
        }
        if ["permission denied", "is a directory"].contains(where: { text.has($0) }) { return .notExecutable }
        return .engine
    }
}

/// A wire type as the tree that is sent.
func encoded(_ value: some Encodable) throws(Failure) -> JSON {
    do { return try JSONCoder.tree(value) } catch { throw Failure.wrapping(error, "encode request") }
}

extension String {
    /// Whether the text stands somewhere in this one.
    func has(_ text: String) -> Bool {
        var rest = self[...]
        while !rest.isEmpty {
            if rest.hasPrefix(text) { return true }
            rest = rest.dropFirst()
        }
        return text.isEmpty
    }
}
