internal import CLinux

/// The words this program was started with, its own name first.
///
/// As `CommandLine.arguments`, which finds them by looking through the stack, and for that reads the process's memory map.
/// Bytes that are not UTF-8 are repaired. C: an initializer's `argv`.
public func programArguments() -> [String] {
    var words: [String] = []
    var entry = skiff_arguments()
    while let word = entry?.pointee {
        words.append(String(cString: word))
        entry = entry?.advanced(by: 1)
    }
    return words
}

/// Overwrites the words and the environment this program was started with, for a process that others are about to see.
///
/// They are on its stack, and in `/proc/<pid>/cmdline` and `environ`, until it runs another program.
public func forgetProgramArguments() { forEachProgramWord { memset($0, 0, strlen($0)) } }

/// The words and the environment this program was started with, kept where no copy of this process has them.
///
/// C functions: `mmap`, `madvise(MADV_DONTFORK)`.
public struct KeptProgramArguments: ~Copyable {
    private let place: UnsafeMutableRawPointer
    private let size: Int

    public init() throws(SystemError) {
        var length = 1
        forEachProgramWord { length += strlen($0) + 1 }
        // MAP_FAILED is all ones.
        guard let memory = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            Int(bitPattern: memory) != -1
        else { throw SystemError("mmap", errno: skiff_errno()) }
        // Before anything is in it.
        guard madvise(memory, length, MADV_DONTFORK) == 0 else {
            let failure = SystemError("madvise", errno: skiff_errno())
            munmap(memory, length)
            throw failure
        }
        var next = memory
        forEachProgramWord { word in
            let size = strlen(word) + 1
            memcpy(next, word, size)
            next += size
        }
        place = memory
        size = length
    }

    /// Puts them back.
    public func restore() {
        var next = place.assumingMemoryBound(to: CChar.self)
        forEachProgramWord { word in
            let length = strlen(next)
            memcpy(word, next, length)
            next += length + 1
        }
    }

    deinit { munmap(place, size) }
}

private func forEachProgramWord(_ body: (UnsafeMutablePointer<CChar>) -> Void) {
    for list in [skiff_arguments(), skiff_environ()] {
        var entry = list
        while let word = entry?.pointee {
            body(word)
            entry = entry?.advanced(by: 1)
        }
    }
}
