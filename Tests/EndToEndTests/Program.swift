import CLinux
import Linux
import Synchronization

/// A finished program: how it ended and what it wrote.
struct Finished: Sendable {
    var code: Int32
    var output: String
    var errors: String

    /// Standard output without the line end of its last line.
    var line: String { String(output.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed()) }
    var lines: [String] { output.split(separator: "\n").map(String.init) }
}

/// Runs programs for tests and collects what they write.
enum Program {
    /// Where the programs under test are: beside the test runner.
    static let builds: String = {
        let own = (try? readLink("/proc/self/exe")) ?? ""
        return own.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
    }()

    /// A program on the `PATH`, nil where there is none.
    static func find(_ name: String) -> String? {
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        return path.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    /// Runs to the end with all output collected; a program that takes longer than `seconds` is killed (code 137).
    static func run(
        _ path: String, _ arguments: [String], environment: [String] = [], input: [UInt8] = [], seconds: Int = 600,
        network: SharedDescriptor? = nil
    ) async throws -> Finished {
        try await onThread {
            let stdin = try Pipe().release(), stdout = try Pipe().release(), stderr = try Pipe().release()
            let spawn = Spawn(
                path, arguments: [path] + arguments,
                environment: environment + ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/root"],
                descriptors: [(stdin.read, 0), (stdout.write, 1), (stderr.write, 2)])
            let pid = try spawn.start(in: network)
            for raw in [stdin.read, stdout.write, stderr.write] { close(raw) }
            defer { for raw in [stdout.read, stderr.read] { close(raw) } }
            return try collect(pid, stdin.write, stdout.read, stderr.read, input, seconds)
        }
    }

    private static func collect(
        _ pid: pid_t, _ stdin: Int32, _ stdout: Int32, _ stderr: Int32, _ input: [UInt8], _ seconds: Int
    ) throws -> Finished {
        ignoreBrokenPipes()
        var unsent = input[...]
        var stdinOpen = true
        if unsent.isEmpty {
            close(stdin)
            stdinOpen = false
        } else {
            try setNonBlocking(stdin)
        }
        var output: [UInt8] = [], errors: [UInt8] = []
        var open: Set<Int32> = [stdout, stderr]
        let deadline = monotonicSeconds() + seconds
        var buffer = [UInt8](repeating: 0, count: 65536)
        while !open.isEmpty {
            var entries = open.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            if stdinOpen { entries.append(pollfd(fd: stdin, events: Int16(POLLOUT), revents: 0)) }
            if monotonicSeconds() >= deadline {
                kill(pid, SIGKILL)
                break
            }
            if poll(&entries, nfds_t(entries.count), 500) <= 0 { continue }
            for entry in entries where entry.revents != 0 {
                if entry.fd == stdin {
                    let sent = unsent.withUnsafeBytes { write(stdin, $0.baseAddress, min($0.count, 65536)) }
                    if sent > 0 { unsent = unsent.dropFirst(sent) }
                    if unsent.isEmpty || (sent < 0 && skiff_errno() != EAGAIN) {
                        close(stdin)
                        stdinOpen = false
                    }
                    continue
                }
                let count = buffer.withUnsafeMutableBytes { CLinux.read(entry.fd, $0.baseAddress, $0.count) }
                if count <= 0 {
                    open.remove(entry.fd)
                } else if entry.fd == stdout {
                    output += buffer[..<count]
                } else {
                    errors += buffer[..<count]
                }
            }
        }
        if stdinOpen { close(stdin) }
        let process = try PidFD(pid)
        let end = try process.wait()
        return Finished(
            code: end?.code ?? -1, output: String(decoding: output, as: UTF8.self),
            errors: String(decoding: errors, as: UTF8.self))
    }

    static func monotonicMilliseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    static func monotonicSeconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec
    }
}

extension Spawn {
    /// Starts the program with a network namespace for its host's, nil for this process's own.
    func start(in network: SharedDescriptor?) throws(SystemError) -> pid_t {
        guard let network else { return try start() }
        return try NetworkNamespace.run(in: network.raw) { () throws(SystemError) in try start() }
    }
}

/// Runs blocking work on a thread of its own, so that the tests' few shared threads stay free.
func onThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        do { try startThread { continuation.resume(with: Result { try work() }) } } catch {
            continuation.resume(throwing: error)
        }
    }
}

/// Asks again until the answer is there; for what happens in its own time in another process.
///
/// The pause only spaces the questions: what is waited for is the answer, and no test asserts a time.
///
/// - Parameters:
///   - seconds: enough for a machine that is many times slower than usual; only what never happens takes so long.
///   - otherwise: what there is instead, for the message.
/// - Throws: ``NeverHappened`` after `seconds`.
func eventually(
    _ what: String, within seconds: Int = 180, _ condition: @Sendable () async throws -> Bool,
    otherwise: @Sendable () -> String = { "" }
) async throws {
    let deadline = Program.monotonicSeconds() + seconds
    while Program.monotonicSeconds() < deadline {
        if try await condition() { return }
        try await pause(milliseconds: 20)
    }
    let instead = otherwise()
    throw NeverHappened(what: instead.isEmpty ? what : "\(what); there is: \(instead)")
}

/// Lets time pass for others: between two looks of a poll whose end is asserted, or up to the moment at which a daemon is killed.
func pause(milliseconds: Int) async throws {
    try await onThread {
        var pause = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
        nanosleep(&pause, nil)
    }
}

struct NeverHappened: Error, CustomStringConvertible {
    let what: String
    var description: String { "waited in vain for: \(what)" }
}
