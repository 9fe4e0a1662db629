public import Linux
internal import Synchronization

/// Which of a process's streams an attachment carries, and how.
public struct StreamChoice: Sendable, Hashable {
    /// What is sent goes to the process's input.
    public var input: Bool
    public var output: Bool
    public var errors: Bool
    /// Whether output comes in stdcopy frames (1 byte stream, 3 zeros, 4 bytes length); meaningless for a terminal,
    /// whose bytes are always raw.
    public var framed: Bool
    /// How many seconds the process may stand still because this attachment does not read, before the attachment is
    /// cut off; nil waits for ever, as Docker does.
    public var patience: Int?

    public init(
        input: Bool = false, output: Bool = true, errors: Bool = true, framed: Bool = true, patience: Int? = nil
    ) {
        self.input = input
        self.output = output
        self.errors = errors
        self.framed = framed
        self.patience = patience
    }
}

/// The shim's end of one attached stream: handed to the shim with a launch, an exec or an attach.
public struct StreamAttachment: Sendable {
    public let choice: StreamChoice
    let descriptor: SharedDescriptor

    /// Makes a connected pair of stream sockets: one end for the shim, one for whoever serves the client.
    ///
    /// ```swift
    /// let (attachment, stream) = try StreamAttachment.pair(StreamChoice(input: true))
    /// try await task.attach(attachment)
    /// let channel = try await ClientBootstrap(group: group).withConnectedSocket(stream.take())
    /// ```
    public static func pair(_ choice: StreamChoice) throws(SystemError) -> (
        attachment: StreamAttachment, stream: AttachedStream
    ) {
        let (ours, theirs) = try SocketPair(.stream).release()
        return (
            StreamAttachment(choice: choice, descriptor: SharedDescriptor(OwnedDescriptor(owning: theirs))),
            AttachedStream(owning: ours)
        )
    }
}

/// The daemon's end of an attached stream, closed with the last reference unless it was taken.
///
/// Reading yields the output until the process has ended and everything was delivered; shutting down the writing half
/// is the end of input; closing detaches.
public final class AttachedStream: Sendable {
    private let number: Mutex<Int32?>

    init(owning raw: Int32) { number = Mutex(raw) }

    deinit { if let raw = number.withLock({ $0 }) { _ = OwnedDescriptor(owning: raw) } }

    /// Gives the socket away, once.
    ///
    /// The caller (or the NIO channel it becomes) closes it. -1 when it is gone already.
    public func take() -> Int32 {
        number.withLock { number in
            defer { number = nil }
            return number ?? -1
        }
    }
}
