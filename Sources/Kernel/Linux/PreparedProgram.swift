internal import CLinux

/// A program to become, with its words where `execve` reads them.
///
/// Made before a process waits for its start, or is cloned: what is left to do then touches no more memory than it must, each
/// page of which would be copied first.
public struct PreparedProgram: ~Copyable {
    public let path: String
    /// The path, then the words and the variables, each ended by a zero.
    private let text: UnsafeMutablePointer<CChar>
    /// The words' addresses and a null, then those of the variables and a null.
    private let addresses: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let words: Int

    /// - Parameters:
    ///   - arguments: `argv`, the name included.
    ///   - environment: `envp`, each `NAME=value`.
    public init(_ path: String, arguments: [String], environment: [String]) {
        self.path = path
        words = arguments.count
        var size = path.utf8.count + 1
        for word in arguments { size += word.utf8.count + 1 }
        for variable in environment { size += variable.utf8.count + 1 }
        text = .allocate(capacity: size)
        addresses = .allocate(capacity: arguments.count + environment.count + 2)
        var next = text
        func append(_ word: String) {
            var word = word
            word.withUTF8 { bytes in
                for byte in bytes {
                    next.initialize(to: CChar(bitPattern: byte))
                    next += 1
                }
            }
            next.initialize(to: 0)
            next += 1
        }
        append(path)
        var place = addresses
        for list in [arguments, environment] {
            for word in list {
                place.initialize(to: next)
                place += 1
                append(word)
            }
            place.initialize(to: nil)
            place += 1
        }
    }

    deinit {
        text.deallocate()
        addresses.deallocate()
    }

    /// Runs the program in this process; returns only the reason why not.
    ///
    /// C function: `execve`.
    public borrowing func run() -> SystemError {
        execve(text, addresses, addresses + words + 1)
        return SystemError("exec", errno: skiff_errno(), subject: path)
    }
}

/// Runs another program in this process; returns only the reason why not.
public func execute(_ path: String, arguments: [String], environment: [String]) -> SystemError {
    PreparedProgram(path, arguments: arguments, environment: environment).run()
}
