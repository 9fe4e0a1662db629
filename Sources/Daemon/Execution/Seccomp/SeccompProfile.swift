internal import CLinux
internal import Failures
internal import JSON
internal import Linux

/// A system call filter before it is compiled: rules, some of which hold only with a capability or on some machines.
struct SeccompProfile: Sendable, Hashable {
    /// What a call that no rule allows gets.
    var defaultAction: SyscallAction
    var architectures: Architectures
    var rules: [Rule]

    /// Which calling conventions the filter covers.
    enum Architectures: Sendable, Hashable {
        /// The machine's own and its smaller relatives: x86 and x32 beside x86_64.
        case native
        /// These, by libseccomp's names, beside the machine's own.
        case named([String])
    }

    /// Some calls and what they get, if the conditions hold; several rules for one call add up.
    struct Rule: Sendable, Hashable {
        var names: [String]
        var action: SyscallAction
        var conditions: [SyscallCondition]
        /// All of these are needed.
        var capabilities: [String]
        /// None of these may be there.
        var missingCapabilities: [String]
        /// The machines it holds on, as Go names them; empty: all.
        var machines: [String]
        var otherMachines: [String]
        var minimumKernel: KernelVersion?

        init(
            _ names: String, action: SyscallAction = .allow, when condition: SyscallCondition? = nil,
            withCapability: String? = nil, withoutCapability: String? = nil, on machines: [String] = [],
            notOn otherMachines: [String] = [], minimumKernel: KernelVersion? = nil
        ) {
            self.names = names.split(whereSeparator: { $0 == " " || $0 == "\n" }).map(String.init)
            self.action = action
            conditions = condition.map { [$0] } ?? []
            capabilities = withCapability.map { [$0] } ?? []
            missingCapabilities = withoutCapability.map { [$0] } ?? []
            self.machines = machines
            self.otherMachines = otherMachines
            self.minimumKernel = minimumKernel
        }
    }
}

/// The two numbers of a kernel's version that rules ask for.
struct KernelVersion: Sendable, Hashable, Comparable {
    var major: Int
    var minor: Int

    init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Reads `6.18.3-foo` or `4.8`.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", maxSplits: 2)
        guard parts.count >= 2, let major = Int(parts[0]), let minor = Int(parts[1].prefix { $0.isNumber }) else {
            return nil
        }
        self.init(major, minor)
    }

    static func < (left: Self, right: Self) -> Bool { (left.major, left.minor) < (right.major, right.minor) }
}

/// The machine a filter is compiled for.
struct SeccompMachine: Sendable, Hashable {
    /// As Go names it: `amd64`, `arm64`.
    var name: String
    var kernel: KernelVersion
    /// The further conventions of `Architectures.native`, by libseccomp's names.
    var relatives: [String]

    /// This one.
    static func current() throws(Failure) -> SeccompMachine {
        let system: (machine: String, release: String)
        do { system = try systemNames() } catch { throw Failure(.internal, "read the kernel's version", cause: error) }
        guard let kernel = KernelVersion(system.release) else {
            throw Failure(.internal, "read the kernel's version out of \"\(system.release)\"")
        }
        let (name, relatives): (String, [String]) =
            switch system.machine {
            case "x86_64": ("amd64", ["x86", "x32"])
            case "aarch64": ("arm64", ["arm"])
            case "s390x": ("s390x", ["s390"])
            case "mips64": ("mips64", ["mips", "mips64n32"])
            case let other: (other, [])
            }
        return SeccompMachine(name: name, kernel: kernel, relatives: relatives)
    }
}

extension SeccompProfile {
    /// The rules that hold for a process with these capabilities on that machine.
    func rules(capabilities: Set<String>, on machine: SeccompMachine) -> [Rule] {
        rules.filter { rule in
            rule.capabilities.allSatisfy(capabilities.contains)
                && !rule.missingCapabilities.contains(where: capabilities.contains)
                && (rule.machines.isEmpty || rule.machines.contains(machine.name)
                    || machine.relatives.contains(where: rule.machines.contains))
                && !rule.otherMachines.contains(machine.name)
                && (rule.minimumKernel.map { $0 <= machine.kernel } ?? true)
        }
    }

    /// The program for a process with these capabilities: an array of `struct sock_filter`.
    ///
    /// Calls newer than any the profile names get `ENOSYS` instead of the default failure, so that libraries fall back
    /// to older ones: a filter that says `EPERM` to a call it has never heard of breaks programs built for newer kernels.
    func program(capabilities: Set<String>, on machine: SeccompMachine) throws(Failure) -> [UInt8] {
        do {
            let compiler = try SeccompCompiler(defaultAction: defaultAction)
            let architectures: [String] =
                switch architectures {
                case .native: machine.relatives
                case .named(let names): names
                }
            for name in architectures { _ = try compiler.addArchitecture(name) }
            var newest: Int32 = 0
            for rule in rules(capabilities: capabilities, on: machine) where rule.action != defaultAction {
                for name in rule.names {
                    newest = max(newest, SeccompCompiler.number(of: name) ?? 0)
                    for conditions in separated(rule.conditions) {
                        try compiler.addRule(name, rule.action, when: conditions)
                    }
                }
            }
            let program = try compiler.program()
            guard defaultAction.rawValue & 0xffff_0000 == SyscallAction.fail(0).rawValue, newest > 0 else {
                return program
            }
            return Self.unknownCallPrelude(newest: newest, machine: machine) + program
        } catch {
            throw Failure(.invalid, "compile the seccomp profile", cause: error)
        }
    }

    /// Conditions on different arguments must all hold; several on one argument are alternatives, as runc reads them.
    private func separated(_ conditions: [SyscallCondition]) -> [[SyscallCondition]] {
        if Set(conditions.map(\.index)).count == conditions.count { return [conditions] }
        return conditions.map { [$0] }
    }

    /// `if arch is the machine's and nr > newest (and no x32 call): ENOSYS`, in front of any program.
    private static func unknownCallPrelude(newest: Int32, machine: SeccompMachine) -> [UInt8] {
        let audit: UInt32
        switch machine.name {
        case "amd64": audit = 0xc000_003e
        case "arm64": audit = 0xc000_00b7
        default: return []
        }
        // struct sock_filter: u16 code, u8 jump if true, u8 jump if false, u32 constant.
        let instructions: [(UInt16, UInt8, UInt8, UInt32)] = [
            (0x20, 0, 0, 4),  // A = seccomp_data.arch
            (0x15, 0, 4, audit),  // if A == audit, else out
            (0x20, 0, 0, 0),  // A = seccomp_data.nr
            (0x35, 2, 0, 0x4000_0000),  // if A >= the x32 bit, out
            (0x25, 0, 1, UInt32(newest)),  // if A > newest
            (0x06, 0, 0, SyscallAction.fail(38).rawValue),  // ENOSYS
        ]
        var bytes: [UInt8] = []
        for (code, yes, no, constant) in instructions {
            withUnsafeBytes(of: code) { bytes.append(contentsOf: $0) }
            bytes.append(yes)
            bytes.append(no)
            withUnsafeBytes(of: constant) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }
}
