/// What a build tells while it goes, in the order of the Dockerfile whatever ran at the same time.
public enum BuildEvent: Sendable, Hashable {
    /// A step begins: its number from 1, how many there are, and its text.
    case step(number: Int, total: Int, text: String)
    /// The step was not run: its result was known.
    case usingCache
    /// The step runs as a process, under this short id.
    case running(String)
    /// Bytes the process wrote; a chunk need not end at a line.
    case output(Stream, [UInt8])
    /// The process of the step is gone with all that was its.
    case removed(String)
    /// The step is done; 12 hex digits that stand for the image so far.
    case result(String)
    /// A base image is being fetched: a line of Docker's pull progress.
    case pulling(status: String, id: String?, current: Int64?, total: Int64?)
    /// Something the writer of the Dockerfile should know.
    case warning(String)
    /// The image is there: its id with the algorithm in front, `sha256:…`.
    case built(id: String)
    /// The image has a name now: `a:b`.
    case tagged(String)

    /// Which of a process's two outputs.
    public enum Stream: Sendable, Hashable { case stdout, stderr }
}

extension BuildEvent {
    /// The event in the words of Docker's classic builder, which clients search for; `nil` where those have no text:
    /// pull progress has its own message, and output is bytes.
    public var classicText: String? {
        switch self {
        case .step(let number, let total, let text): "Step \(number)/\(total) : \(text)\n"
        case .usingCache: " ---> Using cache\n"
        case .running(let id): " ---> Running in \(id)\n"
        case .output(_, let bytes): String(decoding: bytes, as: UTF8.self)
        case .removed(let id): " ---> Removed intermediate container \(id)\n"
        case .result(let id): " ---> \(id)\n"
        case .pulling: nil
        case .warning(let text): "[Warning] \(text)\n"
        case .built(let id): "Successfully built \(id.split(separator: ":").last.map { String($0.prefix(12)) } ?? id)\n"
        case .tagged(let name): "Successfully tagged \(name)\n"
        }
    }
}

/// What a build made.
public struct BuildResult: Sendable, Hashable {
    /// The image's id, `sha256:…`.
    public var imageID: String
    /// The names it was given, in their short form.
    public var names: [String]

    public init(imageID: String, names: [String]) {
        self.imageID = imageID
        self.names = names
    }
}

/// A step's process ended with something other than 0; Docker's clients get the code beside the text.
public struct StepFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// The whole command, as the process saw it.
    public var command: String
    public var code: Int32

    public init(command: String, code: Int32) {
        self.command = command
        self.code = code
    }

    public var description: String { "The command '\(command)' returned a non-zero code: \(code)" }
}
