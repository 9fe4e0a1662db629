internal import Linux
internal import OCI

/// What is put in front of a filter so that calls newer than everything it speaks of fail as unknown ones do.
///
/// A C library tries a new call first and falls back on the old one at `ENOSYS`; the `EPERM` of a profile whose author
/// could not know the call would be the program's end. runc does the same. Programs as the kernel's
/// userspace-api/seccomp_filter.rst has them, over `struct seccomp_data`.
struct NewerCalls: Equatable {
    /// The highest number a profile speaks of.
    struct Limit: Equatable {
        /// The calling convention as libseccomp's token, which is the kernel's `AUDIT_ARCH_*` but for x32.
        var architecture: UInt32
        var highest: UInt32
    }

    var limits: [Limit]

    init(limits: [Limit]) { self.limits = limits }

    /// - Returns: nil where calls that are not named are let through, and where they fail as unknown ones anyway.
    init?(_ seccomp: RuntimeSpec.Seccomp, standard: SyscallAction) {
        let lets: [SyscallAction] = [.allow, .log, .notify, .fail(Self.noSuchCall)]
        if lets.contains(standard) || seccomp.defaultAction == "SCMP_ACT_TRACE" { return nil }
        var architectures = [SeccompCompiler.nativeArchitecture]
        for name in seccomp.architectures {
            let short = name.hasPrefix("SCMP_ARCH_") ? String(name.dropFirst(10)).lowercased() : name
            guard let token = SeccompCompiler.architecture(named: short), !architectures.contains(token) else {
                continue
            }
            architectures.append(token)
        }
        limits = architectures.compactMap { architecture in
            let numbers = seccomp.rules.lazy.flatMap(\.names).compactMap {
                SeccompCompiler.number(of: $0, on: architecture)
            }
            return numbers.max().map { Limit(architecture: architecture, highest: UInt32($0)) }
        }
        if limits.isEmpty { return nil }
    }

    /// The instructions, eight bytes each; behind the last one the filter begins.
    var program: [UInt8] {
        var program: [Instruction] = [.loadArchitecture]
        var done: Set<UInt32> = []
        for limit in limits {
            let kernel = limit.architecture == Self.x32 ? Self.intel64 : limit.architecture
            guard done.insert(kernel).inserted else { continue }
            let body: [Instruction]
            if kernel == Self.intel64 {
                let plain = Self.check(limits.first { $0.architecture == kernel }?.highest)
                let wide = Self.check(
                    limits.first { $0.architecture == Self.x32 }.map { $0.highest | Self.x32Bit })
                body = [.loadNumber, .ifBits(Self.x32Bit, skip: plain.count)] + plain + wide
            } else {
                body = [.loadNumber] + Self.check(limit.highest)
            }
            program += [.unlessEqual(kernel, skip: body.count)] + body
        }
        var bytes: [UInt8] = []
        for (index, instruction) in program.enumerated() {
            bytes += instruction.bytes(toFilter: program.count - index - 1)
        }
        return bytes
    }

    private static func check(_ highest: UInt32?) -> [Instruction] {
        guard let highest else { return [.filter] }
        return [.unlessGreater(highest, skip: 1), .fail, .filter]
    }

    private static let noSuchCall: UInt16 = 38
    private static let intel64: UInt32 = 0xc000_003e
    private static let x32: UInt32 = 0x4000_003e
    /// `__X32_SYSCALL_BIT`.
    private static let x32Bit: UInt32 = 0x4000_0000

    /// One instruction of the classic packet filter machine.
    private enum Instruction {
        case loadArchitecture, loadNumber
        case unlessEqual(UInt32, skip: Int)
        case unlessGreater(UInt32, skip: Int)
        case ifBits(UInt32, skip: Int)
        case fail
        /// On to the filter's own first instruction.
        case filter

        func bytes(toFilter distance: Int) -> [UInt8] {
            let (code, ifTrue, ifFalse, value): (UInt16, Int, Int, UInt32) =
                switch self {
                case .loadNumber: (0x20, 0, 0, 0)
                case .loadArchitecture: (0x20, 0, 0, 4)
                case .unlessEqual(let value, let skip): (0x15, 0, skip, value)
                case .unlessGreater(let value, let skip): (0x25, 0, skip, value)
                case .ifBits(let value, let skip): (0x45, skip, 0, value)
                case .fail: (0x06, 0, 0, SyscallAction.fail(NewerCalls.noSuchCall).rawValue)
                case .filter: (0x05, 0, 0, UInt32(distance))
                }
            return [UInt8(code), 0, UInt8(ifTrue), UInt8(ifFalse)]
                + withUnsafeBytes(of: value) { Array($0) }
        }
    }
}
