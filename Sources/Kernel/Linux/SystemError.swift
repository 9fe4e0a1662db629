internal import CLinux

/// A system call that failed: which one, on what, and the kernel's reason.
///
/// The number is read in the wrapper that made the call, in the same expression, because anything that allocates
/// may overwrite `errno`.
public struct SystemError: Error, Hashable, Sendable {
    /// The system call or libc function, as its manual page is named.
    public let call: String
    /// The kernel's reason, `ENOENT` and the like.
    public let errno: Int32
    /// The path, name or number the call was about, if it tells the reader something.
    public let subject: String?

    public init(_ call: StaticString, errno: Int32, subject: String? = nil) {
        self.call = call.description
        self.errno = errno
        self.subject = subject
    }

    /// The same failure with a subject that says more than the wrapper could know.
    public func about(_ subject: String) -> SystemError {
        SystemError(copying: self, subject: subject)
    }

    private init(copying other: SystemError, subject: String) {
        self.call = other.call
        self.errno = other.errno
        self.subject = subject
    }

    /// Whether a file system, or somebody's share of it, is full.
    ///
    /// Only for calls that write files: elsewhere the kernel uses the same number for other limits.
    public var isDiskFull: Bool { errno == ENOSPC || errno == EDQUOT }

    /// The C library's words for the number, in lower case: "no such file or directory".
    public var reason: String {
        guard let text = strerrordesc_np(errno) else { return "error \(errno)" }
        return String(cString: text).lowercasedFirst
    }
}

extension SystemError: CustomStringConvertible {
    public var description: String {
        guard let subject else { return "\(call): \(reason)" }
        return "\(call) \(subject): \(reason)"
    }
}

extension String {
    fileprivate var lowercasedFirst: String {
        guard let first, first.isASCII, dropFirst().first?.isUppercase != true else { return self }
        return first.lowercased() + dropFirst()
    }
}

/// Runs a call again while a signal interrupts it, and turns -1 into an error that names the call.
///
/// - Parameter body: returns what the C function returned; negative means failure with `errno` set.
@discardableResult
public func check(
    _ call: StaticString, _ subject: @autoclosure () -> String? = nil, _ body: () -> Int32
) throws(SystemError) -> Int32 { try repeated(call, subject, body) }

/// The same for what counts bytes.
@discardableResult
public func check(
    _ call: StaticString, _ subject: @autoclosure () -> String? = nil, _ body: () -> Int
) throws(SystemError) -> Int { try repeated(call, subject, body) }

// Not public: where it is not made for one type, a table of that type's is made at run time.
@inline(__always)
private func repeated<Value: FixedWidthInteger & SignedInteger>(
    _ call: StaticString, _ subject: () -> String?, _ body: () -> Value
) throws(SystemError) -> Value {
    while true {
        let value = body()
        if value >= 0 { return value }
        let number = skiff_errno()
        if number == EINTR { continue }
        throw SystemError(call, errno: number, subject: subject())
    }
}
