public import Failures
internal import GRDB
public import Linux

extension Failure {
    /// A failed call on a file below `path`, in words for whoever asked: "doing: reason".
    ///
    /// A full disk is named by where it is, with what helps: whoever reads this cannot know what the daemon keeps where.
    public static func onDisk(_ doing: String, _ error: SystemError, at path: String) -> Failure {
        Failure(.internal, "\(doing): \(error.reason)", cause: error).namingFullDisk(path)
    }

    /// The failure, with the disk named where that is full and nobody has said so yet.
    public func namingFullDisk(_ path: String) -> Failure {
        guard isDiskFull, !message.contains(Self.full) else { return self }
        return Failure(kind, "\(message): the file system of \(path) \(Self.full)", cause: cause)
    }

    private static let full = "is full: free some space there, for instance with \"prune\", and try again"

    /// Whether a full disk is the reason: only for what has to do with files.
    public var isDiskFull: Bool {
        switch cause {
        case let error as SystemError: error.isDiskFull
        case let error as DatabaseError: error.resultCode == .SQLITE_FULL
        case let failure as Failure: failure.isDiskFull
        default: false
        }
    }
}
