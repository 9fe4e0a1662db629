internal import CLinux
internal import Failures
internal import Linux

/// Where a verb writes: results to standard output, everything else to standard error.
///
/// Results are gathered and written in large parts; ``flush()`` sends them when somebody waits for them.
final class Console {
    /// Takes bytes of standard output or standard error; false when nobody reads them any more.
    typealias Writer = (UnsafeRawBufferPointer) -> Bool

    let input: Int32
    let outputIsTerminal: Bool
    let errorIsTerminal: Bool
    private let writeOutput: Writer
    private let writeError: Writer
    private var pending: [UInt8] = []
    /// Nobody reads standard output any more: whoever goes on writing would do so for ever.
    private(set) var isAbandoned = false

    init(
        input: Int32 = STDIN_FILENO, outputIsTerminal: Bool, errorIsTerminal: Bool, output: @escaping Writer,
        error: @escaping Writer
    ) {
        self.input = input
        self.outputIsTerminal = outputIsTerminal
        self.errorIsTerminal = errorIsTerminal
        writeOutput = output
        writeError = error
    }

    /// The process's own streams.
    static func standard() -> Console {
        Console(
            outputIsTerminal: isTerminal(STDOUT_FILENO), errorIsTerminal: isTerminal(STDERR_FILENO),
            output: { (try? writeAll(STDOUT_FILENO, $0)) != nil },
            error: { (try? writeAll(STDERR_FILENO, $0)) != nil })
    }

    var inputIsTerminal: Bool { isTerminal(input) }

    /// Columns of the terminal; 80 where there is none.
    var width: Int {
        guard outputIsTerminal, let size = try? windowSize(STDOUT_FILENO), size.columns > 0 else { return 80 }
        return Int(size.columns)
    }

    func print(_ text: String) { write(Array("\(text)\n".utf8)) }

    func write(_ text: String) { write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) {
        pending += bytes
        if pending.count >= 32 << 10 { flush() }
    }

    /// Bytes as they come from a container, passed on at once.
    ///
    /// - Throws: an ``Exit`` once nobody reads them any more.
    func pass(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        flush()
        if !writeOutput(bytes) { isAbandoned = true }
        try checkReader()
    }

    func passError(_ bytes: UnsafeRawBufferPointer) {
        flush()
        _ = writeError(bytes)
    }

    func flush() {
        guard !pending.isEmpty else { return }
        if !pending.withUnsafeBytes(writeOutput) { isAbandoned = true }
        pending.removeAll(keepingCapacity: true)
    }

    /// Ends a verb that writes for as long as it runs, when nobody reads what it writes: as SIGPIPE would have.
    func checkReader() throws(Failure) {
        if isAbandoned { throw Exit.failure(.brokenPipe) }
    }

    /// A line to standard error.
    func error(_ text: String) {
        flush()
        _ = Array("\(text)\n".utf8).withUnsafeBytes(writeError)
    }

    /// Text to standard error without a line end: questions, progress.
    func errorText(_ text: String) {
        flush()
        _ = Array(text.utf8).withUnsafeBytes(writeError)
    }

    /// A line typed by a person, without its end; nil at the end of input.
    func readLine() throws(Failure) -> String? {
        flush()
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while true {
            let outcome: Result<Int, SystemError> = withUnsafeMutableBytes(of: &byte) { target in
                do throws(SystemError) { return .success(try Linux.read(input, into: target)) } catch {
                    return .failure(error)
                }
            }
            let count: Int
            do { count = try outcome.get() } catch {
                throw Failure(.internal, "cannot read standard input: \(error.reason)", cause: error)
            }
            if count == 0 { return line.isEmpty ? nil : String(decoding: line, as: UTF8.self) }
            if byte == UInt8(ascii: "\n") { break }
            line.append(byte)
        }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return String(decoding: line, as: UTF8.self)
    }

    /// Whether the person means it; anything but yes is no.
    func confirms(_ question: String) throws(Failure) -> Bool {
        write("\(question) [y/N] ")
        let answer = try readLine() ?? ""
        return ["y", "yes"].contains(answer.lowercased())
    }
}
