internal import CLinux
internal import EngineClient
internal import Failures
internal import JSON
internal import Linux

/// `skiff load` and `skiff save`.
enum ImageArchives {
    private static let input = Option<String?>.text("input", short: "i", "Read from tar archive file, instead of STDIN")
    private static let quiet = Option<Bool>.flag("quiet", short: "q", "Suppress the load output")
    private static let output = Option<String?>.text("output", short: "o", "Write to a file, instead of STDOUT")

    static let load = Verb(
        "load", "Load an image from a tar archive or STDIN", usage: "[OPTIONS]", options: [input, quiet]
    ) { invocation throws(Failure) in
        let source = try FileStream(path: invocation[input], console: invocation.console)
        let request = Request(
            .post, "/images/load", query: [("quiet", invocation[quiet] ? "1" : "0")],
            body: .stream(type: "application/x-tar", source.send))
        let answer = try invocation.engine().call(request)
        var display = ProgressDisplay(console: invocation.console)
        try answer.forEachDocument { message throws(Failure) in try display.show(message) }
        display.finish()
        return .success
    }

    static let save = Verb(
        "save", "Save one or more images to a tar archive (streamed to STDOUT by default)",
        usage: "[OPTIONS] IMAGE [IMAGE...]", options: [output], arguments: atLeast(1)
    ) { invocation throws(Failure) in
        if invocation[output] == nil, invocation.console.outputIsTerminal {
            throw Failure(.invalid, "cowardly refusing to save to a terminal. Use the -o flag or redirect")
        }
        if let path = invocation[output] { try DownloadedFile.check(path) }
        let query = invocation.arguments.map { ("names", $0) }
        let answer = try invocation.engine().call(Request(.get, "/images/get", query: query))
        guard let path = invocation[output] else {
            try answer.forEachPart { part throws(Failure) in try invocation.console.pass(part) }
            return .success
        }
        try DownloadedFile.write(answer, to: path)
        return .success
    }
}

/// A file, or standard input, as the body of a request.
struct FileStream: Sendable {
    private let descriptor: SharedDescriptor

    /// - Parameter path: nil or "-" for standard input.
    init(path: String?, console: Console) throws(Failure) {
        do {
            if let path, path != "-" {
                descriptor = SharedDescriptor(try Linux.open(path, O_RDONLY))
            } else {
                if console.inputIsTerminal {
                    throw Failure(.invalid, "requested load from stdin, but stdin is empty: use -i or a pipe")
                }
                descriptor = SharedDescriptor(try duplicate(console.input))
            }
        } catch let failure as Failure {
            throw failure
        } catch let error as SystemError {
            throw Failure(.invalid, "open \(error.subject ?? "standard input"): \(error.reason)", cause: error)
        } catch {
            throw Failure.wrapping(error, "open input")
        }
    }

    @Sendable func send(_ part: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { block.deallocate() }
        while true {
            let count: Int
            do { count = try Linux.read(descriptor.raw, into: block) } catch {
                throw Failure(.internal, "cannot read input: \(error.reason)", cause: error)
            }
            if count == 0 { return }
            try part(UnsafeRawBufferPointer(rebasing: block[..<count]))
        }
    }
}

/// An answer written to a file that appears under its name only when it is whole.
///
/// Only a regular file is replaced: as root, a rename would put a file where `/dev/null` was.
enum DownloadedFile {
    /// - Throws: `invalid` for a place where no file can be put.
    static func check(_ path: String) throws(Failure) {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard (try? status(folder, follow: true))?.isDirectory == true else {
            throw Failure(.invalid, "failed to save image: invalid output path: directory \"\(folder)\" does not exist")
        }
        guard let present = try? status(path, follow: true) else { return }
        guard present.isRegular else {
            let kind = present.isDirectory ? "directory" : "device, pipe or socket"
            throw Failure(.invalid, "failed to save image: cannot write to \(path): it is a \(kind)")
        }
    }

    static func write(_ answer: Response, to path: String) throws(Failure) {
        let fresh = "\(path).part\(getpid())"
        do {
            let file = try Linux.open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            let raw = file.raw
            do throws(Failure) {
                try answer.forEachPart { part throws(Failure) in
                    do throws(SystemError) { try writeAll(raw, part) } catch {
                        throw Failure(.internal, "cannot write \(path): \(error.reason)", cause: error)
                    }
                }
            } catch {
                try? unlink(fresh)
                throw error
            }
            try Linux.rename(fresh, to: path)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.internal, "cannot write \(path): \(error)", cause: error)
        }
    }
}
