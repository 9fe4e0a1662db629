internal import CLinux

/// A POSIX extended regular expression, as the C library has them.
public struct RegularExpression: ~Copyable {
    private var compiled = regex_t()

    /// C function: `regcomp`.
    ///
    /// - Returns: nil when the text is no expression.
    public init?(_ text: String) {
        guard regcomp(&compiled, text, Int32(REG_EXTENDED | REG_NOSUB)) == 0 else { return nil }
    }

    deinit {
        var compiled = compiled
        regfree(&compiled)
    }

    /// Whether the expression is found anywhere in the text.
    ///
    /// C function: `regexec`.
    public func matches(_ text: String) -> Bool {
        var compiled = compiled
        return regexec(&compiled, text, 0, nil, 0) == 0
    }
}
