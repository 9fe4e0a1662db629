/// The one error above the kernel layer: what kind of thing went wrong, in words for the person who asked, and why.
///
/// The kind decides the HTTP status (in one file of `APIServer`); the message names the thing and the next step, in
/// lower case without a full stop. Wrapping a failure of the same kind flattens: the cause's cause is kept, not a chain
/// of equal words. Equality looks at the kind alone, so that tests assert what matters.
public struct Failure: Error, Sendable {
    /// What went wrong, as far as a program must tell.
    public enum Kind: String, Sendable, Hashable {
        /// The request makes no sense as it stands: 400.
        case invalid
        /// Who asks is not known: 401.
        case unauthorized
        /// Who asks may not, or the thing may never: 403.
        case forbidden
        /// There is no such thing: 404.
        case notFound
        /// The thing is in a state, or in a use, that forbids it: 409.
        case conflict
        /// It is already so: 304.
        case notModified
        /// Skiff cannot do this: 501.
        case notImplemented
        /// Something it needs is not there now: 503.
        case unavailable
        /// Whoever asked went away or called it off.
        case cancelled
        /// Anything else: 500.
        case `internal`
    }

    public let kind: Kind
    public let message: String
    public let cause: (any Error)?

    public init(_ kind: Kind, _ message: String, cause: (any Error)? = nil) {
        self.kind = kind
        self.message = message
        if let inner = cause as? Failure, inner.kind == kind { self.cause = inner.cause } else { self.cause = cause }
    }

    /// The failure as it is, or anything else as an internal one with `doing` in front: "doing: cause".
    public static func wrapping(_ error: any Error, _ doing: String) -> Failure {
        if let failure = error as? Failure { return failure }
        return Failure(.internal, "\(doing): \(error)", cause: error)
    }
}

extension Failure: Equatable {
    public static func == (left: Failure, right: Failure) -> Bool { left.kind == right.kind }
}

extension Failure: CustomStringConvertible {
    public var description: String { message }
}
