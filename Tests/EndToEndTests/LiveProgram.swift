import CLinux
import Linux
import Synchronization

/// A program that a test talks with while it runs: on three pipes, or on a terminal of its own.
///
/// ``with(_:_:environment:on:_:)`` starts it and ends it in every case. What it writes is collected by a thread as it comes.
final class LiveProgram: Sendable {
    /// What the program has as its standard streams.
    enum Streams: Sendable {
        case pipes
        /// A pseudo-terminal that controls the program's session, as a window on a screen does.
        case terminal(rows: UInt16, columns: UInt16)
    }

    private struct State {
        var output: [UInt8] = []
        var errors: [UInt8] = []
        var sources: Set<Int32> = []
        var end: ProcessEnd?
    }

    let pid: pid_t
    private let name: String
    private let process: SharedDescriptor
    private let input: Mutex<SharedDescriptor?>
    private let state = Mutex(State())

    /// Runs the body with the program; one that still runs afterwards is killed.
    static func with<Value: Sendable>(
        _ path: String, _ arguments: [String], environment: [String] = [], on streams: Streams = .pipes,
        _ body: (LiveProgram) async throws -> Value
    ) async throws -> Value {
        let program = try LiveProgram(path, arguments, environment, streams)
        do {
            let value = try await body(program)
            await program.end()
            return value
        } catch {
            await program.end()
            throw error
        }
    }

    private init(_ path: String, _ arguments: [String], _ environment: [String], _ streams: Streams) throws {
        ignoreBrokenPipes()
        name = "\(path.split(separator: "/").last ?? "") \(arguments.joined(separator: " "))"
        let environment =
            environment + [
                "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/root", "TERM=xterm",
            ]
        switch streams {
        case .pipes:
            let stdin = try Pipe(), stdout = try Pipe(), stderr = try Pipe()
            pid = try Spawn(
                path, arguments: [path] + arguments, environment: environment,
                descriptors: [(stdin.read.raw, 0), (stdout.write.raw, 1), (stderr.write.raw, 2)]
            ).start()
            process = SharedDescriptor(try PidFD(pid).descriptor.duplicate())
            input = Mutex(SharedDescriptor(try stdin.write.duplicate()))
            try collect(stdout.read.duplicate(), isError: false)
            try collect(stderr.read.duplicate(), isError: true)
        case .terminal(let rows, let columns):
            let pair = try PseudoTerminal()
            try setWindowSize(pair.master.raw, WindowSize(rows: rows, columns: columns))
            // setsid takes the terminal as the one that controls its session and becomes the program: the same process.
            let setsid = Program.find("setsid") ?? "/usr/bin/setsid"
            pid = try Spawn(
                setsid, arguments: [setsid, "--ctty", path] + arguments, environment: environment,
                descriptors: [(pair.peer.raw, 0), (pair.peer.raw, 1), (pair.peer.raw, 2)], newSession: false
            ).start()
            process = SharedDescriptor(try PidFD(pid).descriptor.duplicate())
            input = Mutex(SharedDescriptor(try pair.master.duplicate()))
            try collect(pair.master.duplicate(), isError: false)
        }
    }

    private func collect(_ source: consuming OwnedDescriptor, isError: Bool) throws {
        let shared = SharedDescriptor(source)
        state.withLock { _ = $0.sources.insert(shared.raw) }
        try startThread { [self] in
            var buffer = [UInt8](repeating: 0, count: 65536)
            // A terminal whose other side is closed answers with an error: that is its end.
            while true {
                let count = buffer.withUnsafeMutableBytes { CLinux.read(shared.raw, $0.baseAddress, $0.count) }
                if count <= 0 { break }
                state.withLock { state in
                    if isError { state.errors += buffer[..<count] } else { state.output += buffer[..<count] }
                }
            }
            state.withLock { _ = $0.sources.remove(shared.raw) }
        }
    }

    // MARK: Talking

    var output: String { state.withLock { String(decoding: $0.output, as: UTF8.self) } }
    var errors: String { state.withLock { String(decoding: $0.errors, as: UTF8.self) } }
    var lines: [String] { output.split(whereSeparator: \.isNewline).map(String.init) }

    /// Writes what a person would type.
    func type(_ text: String) throws {
        guard let input = input.withLock({ $0 }) else { return }
        try writeAll(input.raw, text)
    }

    /// Closes the program's standard input: the end of file of a pipe.
    func closeInput() { input.withLock { $0 = nil } }

    /// Gives the terminal another size; the kernel tells the programs on it.
    func resize(rows: UInt16, columns: UInt16) throws {
        guard let input = input.withLock({ $0 }) else { return }
        try setWindowSize(input.raw, WindowSize(rows: rows, columns: columns))
    }

    /// Whether the terminal shows what is typed, which a program in raw mode does not want.
    var echoes: Bool {
        guard let input = input.withLock({ $0 }) else { return false }
        var settings = termios()
        return tcgetattr(input.raw, &settings) == 0 && settings.c_lflag & tcflag_t(ECHO) != 0
    }

    func send(_ signal: Int32) throws { try sendSignal(signal, to: pid) }

    /// Waits until the program has written a text, on either stream.
    func says(_ text: String, times: Int = 1, within seconds: Int = 180) async throws {
        do {
            try await eventually("\"\(text)\" from \(name)", within: seconds) {
                (output + errors).ranges(of: text).count >= times
            }
        } catch let error as NeverHappened {
            throw NeverHappened(what: "\(error.what); it said: \(output.suffix(2000))\(errors.suffix(2000))")
        }
    }

    // MARK: The end

    /// Waits until the program has ended and all it wrote is here.
    func wait(within seconds: Int = 180) async throws -> Finished {
        let end = try await onThread { [self] in
            let deadline = Program.monotonicSeconds() + seconds
            while Program.monotonicSeconds() < deadline {
                if try poll([(process.raw, Int16(POLLIN))], timeout: 500)[0] != 0 { return try reap() }
            }
            throw NeverHappened(what: "the end of \(name); it said: \(output.suffix(2000))\(errors.suffix(2000))")
        }
        try await eventually("the end of the output of \(name)") { state.withLock { $0.sources.isEmpty } }
        return Finished(code: end?.code ?? -1, output: output, errors: errors)
    }

    private func reap() throws -> ProcessEnd? {
        let end = try PidFD(owning: process.duplicate()).wait()
        state.withLock { $0.end = end }
        return end
    }

    private func end() async {
        closeInput()
        if state.withLock({ $0.end != nil }) { return }
        _ = try? await onThread { [self] in
            let descriptor = PidFD(owning: try process.duplicate())
            try? descriptor.send(SIGKILL)
            _ = try descriptor.wait()
        }
    }
}
