internal import CLinux
internal import Linux

/// Closes what only this process has had a use for: it may be a long time before the program begins, or others may be about
/// to see the process.
///
/// C function: `close_range`; a filter that forbids it leaves them to exec, which closes them as well.
func closeAll(except kept: [Int32], from first: Int32) {
    var next = UInt32(first)
    for raw in kept.sorted() where raw >= first {
        if UInt32(raw) > next { _ = close_range(next, UInt32(raw) - 1, 0) }
        next = UInt32(raw) + 1
    }
    _ = close_range(next, UInt32.max, 0)
}

/// Puts three descriptors, which may be each other's numbers, under 0, 1 and 2.
func installStreams(_ input: Int32, _ output: Int32, _ error: Int32) throws(SystemError) {
    let lifted = [
        try duplicate(input, atLeast: 64).release(), try duplicate(output, atLeast: 64).release(),
        try duplicate(error, atLeast: 64).release(),
    ]
    for (number, raw) in lifted.enumerated() { try install(raw, as: Int32(number)) }
}
