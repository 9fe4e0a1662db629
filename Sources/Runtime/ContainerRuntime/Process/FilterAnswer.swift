internal import CLinux
internal import Linux

/// What a compiled filter answers to a system call, found out without making it.
///
/// Of the machine that runs filters, classic BPF over `struct seccomp_data` (the kernel's `kernel/seccomp.c`), it has what
/// libseccomp and ``NewerCalls`` write.
enum FilterAnswer {
    /// - Parameters:
    ///   - first: the call's first argument.
    ///   - second: the next; the others are zero.
    ///   - program: `struct sock_filter` after another.
    /// - Returns: nil where the program has an instruction that is not known here, or no end.
    static func to(
        _ call: Int32, _ first: UInt64 = 0, _ second: UInt64 = 0, from program: [UInt8]
    ) -> SyscallAction? {
        // Number, calling convention, instruction pointer, six arguments; in words of four bytes.
        var data = [UInt32(bitPattern: call), SeccompCompiler.nativeArchitecture, 0, 0]
        for index in 0..<6 {
            let value = index == 0 ? first : index == 1 ? second : 0
            let halves = [UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)]
            data += UInt64(1).littleEndian == 1 ? halves : halves.reversed()
        }
        let end = program.count / FilterInstruction.size
        guard program.count % FilterInstruction.size == 0 else { return nil }
        var accumulator: UInt32 = 0
        var next = 0
        while next < end {
            let instruction = program.withUnsafeBytes { FilterInstruction($0, at: next) }
            next += 1
            let operand = instruction.operand
            if let holds = instruction.holds(accumulator) {
                next += instruction.skip(holds)
                continue
            }
            switch instruction.code {
            case FilterInstruction.load:
                guard operand % 4 == 0, Int(operand / 4) < data.count else { return nil }
                accumulator = data[Int(operand / 4)]
            case FilterInstruction.and: accumulator &= operand
            case FilterInstruction.jump: next += Int(operand)
            case FilterInstruction.answer: return SyscallAction(rawValue: operand)
            default: return nil
            }
        }
        return nil
    }

    /// Whether the call is made as if there were no filter.
    static func lets(_ call: Int32, _ first: UInt64 = 0, _ second: UInt64 = 0, in program: [UInt8]) -> Bool {
        guard let answer = to(call, first, second, from: program) else { return false }
        // The lower half is for whoever is told.
        let action = SyscallAction(rawValue: answer.rawValue & SECCOMP_RET_ACTION_FULL)
        return action == .allow || action == .log
    }
}
