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
public func forgetProgramArguments() {
    for list in [skiff_arguments(), skiff_environ()] {
        var entry = list
        while let word = entry?.pointee {
            memset(word, 0, strlen(word))
            entry = entry?.advanced(by: 1)
        }
    }
}
