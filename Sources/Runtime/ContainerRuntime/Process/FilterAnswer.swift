internal import CLinux
internal import Linux

/// What a compiled filter answers to a system call, found out without making it.
///
/// Of the machine that runs filters, classic BPF over `struct seccomp_data` (the kernel's `kernel/seccomp.c`), it has what
/// libseccomp and ``NewerCalls`` write.
enum FilterAnswer {
    /// - Parameters:
    ///   - arguments: the call's, those that are left out being zero.
    ///   - program: `struct sock_filter` after another.
    /// - Returns: nil where the program has an instruction that is not known here, or no end.
    static func to(_ call: Int32, _ arguments: [UInt64] = [], from program: [UInt8]) -> SyscallAction? {
        // Number, calling convention, instruction pointer, six arguments; in words of four bytes.
        var data = [UInt32(bitPattern: call), SeccompCompiler.nativeArchitecture, 0, 0]
        for index in 0..<6 {
            let value = index < arguments.count ? arguments[index] : 0
            let halves = [UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)]
            data += UInt64(1).littleEndian == 1 ? halves : halves.reversed()
        }
        let count = program.count / 8
        var accumulator: UInt32 = 0
        var next = 0
        while next < count {
            let instruction = Instruction(program, at: next)
            next += 1
            let value = instruction.value
            switch Int32(instruction.code) {
            case BPF_LD | BPF_W | BPF_ABS:
                guard value % 4 == 0, Int(value / 4) < data.count else { return nil }
                accumulator = data[Int(value / 4)]
            case BPF_ALU | BPF_AND | BPF_K: accumulator &= value
            case BPF_JMP | BPF_JA: next += Int(value)
            case BPF_JMP | BPF_JEQ | BPF_K: next += instruction.skip(accumulator == value)
            case BPF_JMP | BPF_JGT | BPF_K: next += instruction.skip(accumulator > value)
            case BPF_JMP | BPF_JGE | BPF_K: next += instruction.skip(accumulator >= value)
            case BPF_JMP | BPF_JSET | BPF_K: next += instruction.skip(accumulator & value != 0)
            case BPF_RET | BPF_K: return SyscallAction(rawValue: value)
            default: return nil
            }
        }
        return nil
    }

    /// Whether the call is made as if there were no filter.
    static func lets(_ call: Int32, _ arguments: [UInt64] = [], _ program: [UInt8]) -> Bool {
        guard let answer = to(call, arguments, from: program) else { return false }
        // The lower half is for whoever is told.
        let action = SyscallAction(rawValue: answer.rawValue & SECCOMP_RET_ACTION_FULL)
        return action == .allow || action == .log
    }

    /// `struct sock_filter`.
    private struct Instruction {
        let code: UInt16
        let ifTrue: UInt8
        let ifFalse: UInt8
        let value: UInt32

        init(_ program: [UInt8], at index: Int) {
            (code, ifTrue, ifFalse, value) = program.withUnsafeBytes { bytes in
                (
                    bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt16.self), bytes[index * 8 + 2],
                    bytes[index * 8 + 3], bytes.loadUnaligned(fromByteOffset: index * 8 + 4, as: UInt32.self)
                )
            }
        }

        func skip(_ holds: Bool) -> Int { Int(holds ? ifTrue : ifFalse) }
    }
}
