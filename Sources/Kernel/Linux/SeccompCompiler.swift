internal import CLinux

/// One condition on a system call's argument.
public struct SyscallCondition: Sendable, Hashable {
    /// How the argument is compared; the raw values are those of libseccomp's `scmp_compare`.
    public enum Comparison: UInt32, Sendable, Hashable {
        case notEqual = 1
        case less = 2
        case lessOrEqual = 3
        case equal = 4
        case greaterOrEqual = 5
        case greater = 6
        /// `argument & value == second`.
        case maskedEqual = 7
    }

    /// Which argument, 0…5.
    public var index: UInt32
    public var comparison: Comparison
    public var value: UInt64
    /// What the masked argument must equal; only for `maskedEqual`.
    public var second: UInt64

    public init(index: UInt32, comparison: Comparison, value: UInt64, second: UInt64 = 0) {
        self.index = index
        self.comparison = comparison
        self.value = value
        self.second = second
    }
}

/// What the kernel does with a system call, in the kernel's own encoding (`SECCOMP_RET_*` of `linux/seccomp.h`).
public struct SyscallAction: Sendable, Hashable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let allow = SyscallAction(rawValue: 0x7fff_0000)
    public static let log = SyscallAction(rawValue: 0x7ffc_0000)
    public static let trap = SyscallAction(rawValue: 0x0003_0000)
    public static let killThread = SyscallAction(rawValue: 0)
    public static let killProcess = SyscallAction(rawValue: 0x8000_0000)
    /// Whoever listens decides.
    public static let notify = SyscallAction(rawValue: 0x7fc0_0000)
    /// The call fails with this error number.
    public static func fail(_ errno: UInt16) -> SyscallAction { SyscallAction(rawValue: 0x0005_0000 | UInt32(errno)) }
    /// A tracer is told this number.
    public static func trace(_ number: UInt16) -> SyscallAction {
        SyscallAction(rawValue: 0x7ff0_0000 | UInt32(number))
    }
}

/// Compiles rules about system calls to the program the kernel runs; libseccomp does the work.
///
/// Rules for one call add up: it is enough that one of them matches. A call that no rule names gets the default action.
public struct SeccompCompiler: ~Copyable {
    private let context: scmp_filter_ctx

    /// C functions: `seccomp_init`, `seccomp_attr_set`.
    public init(defaultAction: SyscallAction) throws(SystemError) {
        guard let context = seccomp_init(defaultAction.rawValue) else {
            throw SystemError("seccomp_init", errno: EINVAL)
        }
        self.context = context
        // A binary search tree over the calls instead of one comparison after the other.
        _ = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2)
        // What a wrong architecture gets: the default's own failure, not a kill, as Docker's filter behaves.
        _ = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, defaultAction.rawValue)
    }

    deinit { seccomp_release(context) }

    /// Makes the rules hold for another calling convention of this machine; true when it is known and was added.
    ///
    /// C functions: `seccomp_arch_resolve_name`, `seccomp_arch_add`.
    ///
    /// - Parameter name: libseccomp's lower-case name: `x86`, `x32`, `arm`.
    public func addArchitecture(_ name: String) throws(SystemError) -> Bool {
        let token = seccomp_arch_resolve_name(name)
        if token == 0 { return false }
        let result = seccomp_arch_add(context, token)
        if result == -EEXIST { return true }
        if result != 0 { throw SystemError("seccomp_arch_add", errno: -result, subject: name) }
        return true
    }

    /// Adds a rule: the call, if all conditions hold, gets the action; false when this libseccomp does not know the
    /// call.
    ///
    /// C functions: `seccomp_syscall_resolve_name`, `seccomp_rule_add_array`.
    @discardableResult
    public func addRule(_ syscall: String, _ action: SyscallAction, when conditions: [SyscallCondition] = [])
        throws(SystemError)
        -> Bool
    {
        let number = seccomp_syscall_resolve_name(syscall)
        if number == __NR_SCMP_ERROR { return false }
        let arguments = conditions.map { condition in
            scmp_arg_cmp(
                arg: condition.index, op: scmp_compare(rawValue: condition.comparison.rawValue),
                datum_a: condition.value, datum_b: condition.second)
        }
        let result = seccomp_rule_add_array(context, action.rawValue, number, UInt32(arguments.count), arguments)
        // A rule that is there already, or that a broader one covers, is no fault of the profile.
        if result == -EEXIST { return true }
        if result != 0 { throw SystemError("seccomp_rule_add", errno: -result, subject: syscall) }
        return true
    }

    /// The number of a call on this machine, nil when it has none here.
    ///
    /// C function: `seccomp_syscall_resolve_name`.
    public static func number(of syscall: String) -> Int32? {
        let number = seccomp_syscall_resolve_name(syscall)
        return number < 0 ? nil : number
    }

    /// The number of a call in a calling convention, nil when it has none there.
    ///
    /// C function: `seccomp_syscall_resolve_name_arch`.
    ///
    /// - Parameter architecture: libseccomp's token.
    public static func number(of syscall: String, on architecture: UInt32) -> Int32? {
        let number = seccomp_syscall_resolve_name_arch(architecture, syscall)
        return number < 0 ? nil : number
    }

    /// libseccomp's token of this machine's own calling convention.
    ///
    /// C function: `seccomp_arch_native`.
    public static var nativeArchitecture: UInt32 { seccomp_arch_native() }

    /// libseccomp's token of a calling convention, nil when it knows none of the name.
    ///
    /// C function: `seccomp_arch_resolve_name`.
    ///
    /// - Parameter name: libseccomp's lower-case name: `x86`, `x32`, `arm`.
    public static func architecture(named name: String) -> UInt32? {
        let token = seccomp_arch_resolve_name(name)
        return token == 0 ? nil : token
    }

    /// The version of the library that compiles, for cache keys.
    ///
    /// C function: `seccomp_version`.
    public static var libraryVersion: String {
        guard let version = seccomp_version()?.pointee else { return "unknown" }
        return "\(version.major).\(version.minor).\(version.micro)"
    }

    /// The program: an array of `struct sock_filter`, 8 bytes each.
    ///
    /// C function: `seccomp_export_bpf`.
    public func program() throws(SystemError) -> [UInt8] {
        let file = OwnedDescriptor(
            owning: try check("memfd_create") { memfd_create("seccomp", UInt32(MFD_CLOEXEC)) })
        let result = seccomp_export_bpf(context, file.raw)
        if result != 0 { throw SystemError("seccomp_export_bpf", errno: -result) }
        return try readWhole(file.raw, limit: 1 << 20)
    }
}
