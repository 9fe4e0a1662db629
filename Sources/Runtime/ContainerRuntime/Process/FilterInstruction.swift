internal import CLinux

/// One instruction of a system call filter: `struct sock_filter`.
///
/// The machine is classic BPF over `struct seccomp_data`, as seccomp(2) limits it; linux/bpf_common.h.
struct FilterInstruction: Equatable, Sendable {
    var code: UInt16
    var whenTrue: UInt8 = 0
    var whenFalse: UInt8 = 0
    var operand: UInt32

    /// The instructions of a program, eight bytes each; nil where it does not consist of whole ones.
    static func decode(_ program: [UInt8]) -> [FilterInstruction]? {
        guard program.count % size == 0 else { return nil }
        return program.withUnsafeBytes { bytes in
            (0..<bytes.count / size).map { FilterInstruction(bytes, at: $0) }
        }
    }

    /// How many bytes each has.
    static let size = 8

    var bytes: [UInt8] {
        withUnsafeBytes(of: code) { Array($0) } + [whenTrue, whenFalse] + withUnsafeBytes(of: operand) { Array($0) }
    }

    /// How many instructions a jump by a condition passes over.
    func skip(_ holds: Bool) -> Int { Int(holds ? whenTrue : whenFalse) }

    /// What a condition says of a value, nil where this is none.
    func holds(_ value: UInt32) -> Bool? {
        switch code {
        case Self.equal: value == operand
        case Self.greater: value > operand
        case Self.greaterOrEqual: value >= operand
        case Self.hasBits: value & operand != 0
        default: nil
        }
    }

    static let load = UInt16(BPF_LD | BPF_W | BPF_ABS)
    static let and = UInt16(BPF_ALU | BPF_AND | BPF_K)
    static let jump = UInt16(BPF_JMP | BPF_JA)
    static let equal = UInt16(BPF_JMP | BPF_JEQ | BPF_K)
    static let greater = UInt16(BPF_JMP | BPF_JGT | BPF_K)
    static let greaterOrEqual = UInt16(BPF_JMP | BPF_JGE | BPF_K)
    static let hasBits = UInt16(BPF_JMP | BPF_JSET | BPF_K)
    static let answer = UInt16(BPF_RET | BPF_K)

    var isJump: Bool { code & 7 == UInt16(BPF_JMP) }
    var isAnswer: Bool { code & 7 == UInt16(BPF_RET) }
}

extension FilterInstruction {
    /// - Parameter index: which of a program's.
    init(_ program: UnsafeRawBufferPointer, at index: Int) {
        let start = index * Self.size
        code = program.loadUnaligned(fromByteOffset: start, as: UInt16.self)
        whenTrue = program[start + 2]
        whenFalse = program[start + 3]
        operand = program.loadUnaligned(fromByteOffset: start + 4, as: UInt32.self)
    }
}
