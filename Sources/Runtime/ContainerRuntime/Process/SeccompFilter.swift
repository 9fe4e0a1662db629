internal import CLinux
internal import JSON
internal import Linux
public import OCI

/// A document's system call filter, compiled by libseccomp and kept on disk.
///
/// Reading the rules and compiling them takes longer than a start as a whole, and nearly every container has the same filter.
/// A kept program is found by a hash of the rules' text and proven by the text, which is stored before it: a collision or a
/// torn file is a miss, never a wrong filter.
public struct SeccompFilter: Sendable {
    /// A filter as the kernel takes it: `struct sock_filter` after another, and what the document says of it besides the rules.
    public struct Compiled: Sendable {
        public let seccomp: RuntimeSpec.Seccomp
        public let program: [UInt8]
    }

    /// A directory of mode 0700, or nil to compile each time.
    public var cache: String?

    public init(cache: String?) { self.cache = cache }

    /// The program for rules as a document has them, in JSON.
    ///
    /// - Returns: with what the document says. Of a program that was kept the rules are left out, unless they say how it is
    ///   installed.
    public func program(forText text: ArraySlice<UInt8>) throws(RuntimeFailure) -> Compiled {
        let path = cache.map { "\($0)/\(hexadecimal(Self.hash(text))).bpf" }
        if let path, let kept = try? readFile(path, limit: 4 << 20), let found = Self.unpack(kept, text) {
            return found
        }
        let seccomp: RuntimeSpec.Seccomp
        do { seccomp = try RuntimeSpec.Seccomp(json: try JSON.parse(Array(text))) } catch {
            throw RuntimeFailure(.specification, "linux.seccomp: \(error)")
        }
        let program = try program(for: seccomp)
        if let path, let cache {
            // A cache that cannot be written only costs time.
            try? makeDirectories(cache, mode: 0o700)
            try? replaceFile(path, Self.pack(program, seccomp, text), mode: 0o600)
        }
        return Compiled(seccomp: seccomp, program: program)
    }

    /// The program, `struct sock_filter` after another.
    public func program(for seccomp: RuntimeSpec.Seccomp) throws(RuntimeFailure) -> [UInt8] {
        let program = try long(seccomp)
        return SeccompRanges(program)?.shortened() ?? program
    }

    /// What the program follows from besides the text: how programs are made of documents, counted, and the library's version,
    /// since a newer one knows more calls.
    private static let form = "5 \(SeccompCompiler.libraryVersion)"

    /// The program as libseccomp makes it.
    func long(_ seccomp: RuntimeSpec.Seccomp) throws(RuntimeFailure) -> [UInt8] {
        let standard = try Self.action(seccomp.defaultAction, errno: seccomp.defaultErrno)
        return try step(.seccomp) { () throws(SystemError) in
            let compiler = try SeccompCompiler(defaultAction: standard)
            for name in seccomp.architectures {
                let short = name.hasPrefix("SCMP_ARCH_") ? String(name.dropFirst(10)).lowercased() : name
                guard try compiler.addArchitecture(short) else {
                    throw SystemError("seccomp_arch_add", errno: EINVAL, subject: name)
                }
            }
            for rule in seccomp.rules {
                guard let action = try? Self.action(rule.action, errno: rule.errno) else {
                    throw SystemError("seccomp", errno: EINVAL, subject: "action \(rule.action)")
                }
                // What is the default anyway needs no rule, and libseccomp refuses it.
                if action == standard { continue }
                var conditions: [SyscallCondition] = []
                for argument in rule.arguments {
                    guard let comparison = Self.comparisons[argument.comparison] else {
                        throw SystemError("seccomp", errno: EINVAL, subject: "operator \(argument.comparison)")
                    }
                    conditions.append(
                        SyscallCondition(
                            index: argument.index, comparison: comparison, value: argument.value,
                            second: argument.second))
                }
                // libseccomp joins conditions by "and", one for each argument; several for one mean "or" to everybody.
                let joint = Set(conditions.map(\.index)).count == conditions.count
                for alternative in joint ? [conditions] : conditions.map({ [$0] }) {
                    for name in rule.names { try compiler.addRule(name, action, when: alternative) }
                }
            }
            return try (NewerCalls(seccomp, standard: standard)?.program ?? []) + compiler.program()
        }
    }

    private static func action(_ name: String, errno: UInt32?) throws(RuntimeFailure) -> SyscallAction {
        let number = UInt16(truncatingIfNeeded: errno ?? UInt32(EPERM))
        switch name {
        case "SCMP_ACT_ALLOW": return .allow
        case "SCMP_ACT_ERRNO": return .fail(number)
        case "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD": return .killThread
        case "SCMP_ACT_KILL_PROCESS": return .killProcess
        case "SCMP_ACT_TRAP": return .trap
        case "SCMP_ACT_LOG": return .log
        case "SCMP_ACT_TRACE": return .trace(number)
        case "SCMP_ACT_NOTIFY": return .notify
        default: throw RuntimeFailure(.specification, "linux.seccomp: action \(name) is not supported")
        }
    }

    private static let comparisons: [String: SyscallCondition.Comparison] = [
        "SCMP_CMP_NE": .notEqual, "SCMP_CMP_LT": .less, "SCMP_CMP_LE": .lessOrEqual, "SCMP_CMP_EQ": .equal,
        "SCMP_CMP_GE": .greaterOrEqual, "SCMP_CMP_GT": .greater, "SCMP_CMP_MASKED_EQ": .maskedEqual,
    ]

    /// What documents may say, for `features`.
    static var features: JSON {
        let actions = [
            "ALLOW", "ERRNO", "KILL", "KILL_PROCESS", "KILL_THREAD", "LOG", "NOTIFY", "TRACE", "TRAP",
        ].map { "SCMP_ACT_" + $0 }.filter { (try? action($0, errno: nil)) != nil }
        let architectures = [
            "AARCH64", "ARM", "LOONGARCH64", "M68K", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64",
            "MIPSEL64N32", "PARISC", "PARISC64", "PPC", "PPC64", "PPC64LE", "RISCV64", "S390", "S390X", "SH", "SHEB",
            "X32", "X86", "X86_64",
        ].filter { name in
            guard let compiler = try? SeccompCompiler(defaultAction: .allow) else { return false }
            return (try? compiler.addArchitecture(name.lowercased())) == true
        }.map { "SCMP_ARCH_" + $0 }
        return .object([
            "enabled": true, "actions": JSON(actions), "operators": JSON(comparisons.keys.sorted()),
            "archs": JSON(architectures), "knownFlags": JSON(SeccompInstallation.names.keys.sorted()),
            "supportedFlags": JSON(SeccompInstallation.names.keys.sorted()),
        ])
    }

    /// FNV-1a by words of 64 bits: for finding, not for proving.
    private static func hash(_ text: ArraySlice<UInt8>) -> UInt64 {
        text.withUnsafeBytes { bytes in
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            var at = 0
            while at + 8 <= bytes.count {
                hash = (hash ^ bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)) &* 0x100_0000_01b3
                hash ^= hash >> 32
                at += 8
            }
            for byte in bytes[at...] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            return hash
        }
    }

    // A kept file is a line, form and three lengths; the text; what it says besides the rules, in JSON; the program.

    private static func pack(_ program: [UInt8], _ seccomp: RuntimeSpec.Seccomp, _ text: ArraySlice<UInt8>) -> [UInt8] {
        var rest = seccomp
        if !seccomp.rules.contains(where: { $0.action == "SCMP_ACT_NOTIFY" }) { rest.rules = [] }
        let besides = rest.json.serialized()
        return Array("\(form) \(text.count) \(besides.count) \(program.count)\n".utf8) + text + besides + program
    }

    private static func unpack(_ bytes: [UInt8], _ text: ArraySlice<UInt8>) -> Compiled? {
        let head = Array("\(form) \(text.count) ".utf8)
        guard bytes.starts(with: head), let newline = bytes.prefix(128).firstIndex(of: UInt8(ascii: "\n")),
            newline >= head.count
        else {
            return nil
        }
        var lengths = Fields(bytes, in: head.count..<newline, separatedBy: UInt8(ascii: " "))
        let start = newline + 1, end = start + text.count
        guard let besides = lengths.text().flatMap({ Int($0) }), besides > 0,
            let length = lengths.text().flatMap({ Int($0) }), length > 0, lengths.next() == nil,
            bytes.count == end + besides + length,
            bytes.withUnsafeBytes({ bytes in
                text.withUnsafeBytes { memcmp(bytes.baseAddress! + start, $0.baseAddress!, text.count) == 0 }
            }),
            let json = try? JSON.parse(Array(bytes[end..<end + besides])),
            let seccomp = try? RuntimeSpec.Seccomp(json: json)
        else { return nil }
        return Compiled(seccomp: seccomp, program: Array(bytes[(end + besides)...]))
    }
}
