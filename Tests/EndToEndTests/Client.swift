import Linux
import Testing

/// The command lines that have to work alike.
enum Client: String, CaseIterable, CustomTestStringConvertible, Sendable {
    case skiff, docker

    var testDescription: String { rawValue }

    /// Runs a test with this command line on the suite's daemon, and removes what the test left there.
    ///
    /// Where Docker's client is not installed, its half of the test is cancelled with that reason.
    func session(_ body: (Session) async throws -> Void) async throws {
        if self == .docker, Docker.path == nil { try Test.cancel("no docker command line on this machine") }
        let daemon = try #require(OneDaemon.current, "the suite needs the trait .oneDaemon()")
        let session = Session(client: self, daemon: daemon)
        do { try await body(session) } catch {
            Issue.record("\(self): \(error); daemon's log:\n\(daemon.log(lines: 15))")
        }
        await daemon.removeEverything()
    }
}

/// One command line speaking to one daemon.
struct Session: Sendable {
    let client: Client
    let daemon: PrivateDaemon

    private var program: String {
        client == .docker ? Docker.path ?? "/usr/bin/docker" : Program.builds + "/skiff"
    }

    var environment: [String] {
        ["SKIFF_HOST=\(daemon.host)", "SKIFF_CONFIG=\(daemon.home)/client"]
            + ["DOCKER_HOST=\(daemon.host)", "DOCKER_BUILDKIT=0", "DOCKER_CONFIG=\(daemon.home)/docker"]
    }

    /// The words of a command for a shell's pipes.
    func words(_ arguments: String...) -> [String] { [program] + arguments }

    /// Runs a command to its end.
    func callAsFunction(_ arguments: String..., input: String = "") async throws -> Finished {
        try await run(arguments, input: input)
    }

    func run(_ arguments: [String], input: String = "") async throws -> Finished {
        try await Program.run(program, arguments, environment: environment, input: Array(input.utf8))
    }

    /// Runs a command and expects success.
    @discardableResult
    func must(_ arguments: String..., input: String = "", at location: SourceLocation = #_sourceLocation) async throws
        -> Finished
    {
        let finished = try await run(arguments, input: input)
        try #require(
            finished.code == 0,
            "\(client) \(arguments.joined(separator: " ")): code \(finished.code): \(finished.errors)",
            sourceLocation: location)
        return finished
    }

    /// Runs a command that must fail with a code and say certain words.
    func refuses(
        _ arguments: String..., code: Int32 = 1, saying words: String, at location: SourceLocation = #_sourceLocation
    ) async throws {
        let finished = try await run(arguments)
        let command = "\(client) \(arguments.joined(separator: " "))"
        #expect(finished.code == code, "\(command): \(finished.errors)", sourceLocation: location)
        #expect(finished.errors.contains(words), "\(command): \(finished.errors)", sourceLocation: location)
    }

    /// Starts a command to talk with while it runs.
    func live<Value: Sendable>(
        _ arguments: String..., on streams: LiveProgram.Streams = .pipes,
        _ body: (LiveProgram) async throws -> Value
    ) async throws -> Value {
        try await LiveProgram.with(program, arguments, environment: environment, on: streams, body)
    }
}

/// One daemon for all tests of a suite, which are serialized.
struct OneDaemon: SuiteTrait, TestScoping {
    let flags: [String]
    let ownNetwork: Bool
    var isRecursive: Bool { false }

    @TaskLocal static var current: PrivateDaemon?

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await PrivateDaemon.with(flags, ownNetwork: ownNetwork) { daemon in
            try await Self.$current.withValue(daemon) { try await function() }
        }
    }
}

extension Trait where Self == OneDaemon {
    /// One daemon for all tests of the suite.
    ///
    /// - Parameter ownNetwork: see ``PrivateDaemon/with(_:image:ownNetwork:_:)``.
    static func oneDaemon(_ flags: String..., ownNetwork: Bool = false) -> Self {
        OneDaemon(flags: flags, ownNetwork: ownNetwork)
    }
}

extension PrivateDaemon {
    /// Removes containers, volumes and networks, so that the next test finds the daemon as the first one did.
    func removeEverything() async {
        if let containers = try? await skiff("ps", "-aq"), !containers.lines.isEmpty {
            _ = try? await skiff(["rm", "-f", "-v"] + containers.lines)
        }
        _ = try? await skiff("volume", "prune", "-af")
        if let networks = try? await skiff("network", "ls", "-q", "--filter", "type=custom"), !networks.lines.isEmpty {
            _ = try? await skiff(["network", "rm"] + networks.lines)
        }
    }
}
