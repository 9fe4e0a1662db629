internal import Failures
internal import Glibc

/// The `name` filter: a POSIX extended regular expression, in linear time as the C library's engine gives it.
///
/// C functions: `regcomp`, `regexec`.
final class NamePattern: Sendable {
    // The compiled expression is only read after `init`; regexec may be called from several threads.
    private nonisolated(unsafe) let compiled: UnsafeMutablePointer<regex_t>

    init(_ text: String) throws(Failure) {
        // Counted repetition and back references are what makes an expression cost more than its length; no name needs them.
        let bytes = Array(text.utf8)
        let isCostly =
            bytes.contains(UInt8(ascii: "{"))
            || zip(bytes, bytes.dropFirst()).contains { $0 == UInt8(ascii: "\\") && (48...57).contains($1) }
        guard bytes.count <= 1024, !isCostly, !bytes.contains(0) else {
            throw Failure(.invalid, "invalid filter 'name=\(text)': use a simpler expression")
        }
        let compiled = UnsafeMutablePointer<regex_t>.allocate(capacity: 1)
        guard regcomp(compiled, text, REG_EXTENDED | REG_NOSUB) == 0 else {
            compiled.deallocate()
            throw Failure(.invalid, "invalid filter 'name=\(text)': it is not a regular expression")
        }
        self.compiled = compiled
    }

    deinit {
        regfree(compiled)
        compiled.deallocate()
    }

    func matches(_ name: String) -> Bool { regexec(compiled, name, 0, nil, 0) == 0 }
}
