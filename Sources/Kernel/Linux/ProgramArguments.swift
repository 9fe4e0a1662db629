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
///
/// - Returns: what they were, for ``restoreProgramArguments(_:)``; a zero ends each.
@discardableResult
public func forgetProgramArguments() -> [UInt8] {
    var forgotten: [UInt8] = []
    forEachProgramWord { word in
        let length = strlen(word)
        forgotten += UnsafeRawBufferPointer(start: word, count: length + 1)
        memset(word, 0, length)
    }
    return forgotten
}

/// Puts back what was overwritten in memory that this process shares with the one that was to be seen.
public func restoreProgramArguments(_ forgotten: [UInt8]) {
    forgotten.withUnsafeBytes { bytes in
        guard var next = bytes.baseAddress?.assumingMemoryBound(to: CChar.self) else { return }
        let end = next + bytes.count
        forEachProgramWord { word in
            guard next < end else { return }
            let length = strlen(next)
            memcpy(word, next, length)
            next += length + 1
        }
    }
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
