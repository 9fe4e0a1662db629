internal import Failures
internal import JSON
internal import Linux

extension SeccompProfile {
    /// Reads a profile in Docker's JSON form, as `--security-opt seccomp=FILE` takes it.
    ///
    /// - Throws: `invalid` naming what is wrong; a profile that could not be read whole is never applied in part.
    init(document: JSON) throws(Failure) {
        guard case .object = document else { throw Self.failure("it is no object") }
        guard let word = document["defaultAction"]?.stringValue else { throw Self.failure("defaultAction is missing") }
        defaultAction = try Self.action(word, errno: document["defaultErrnoRet"])
        if document["listenerPath"]?.stringValue.map({ !$0.isEmpty }) ?? false {
            throw Self.failure("listenerPath is not supported")
        }
        architectures = try Self.architectures(document)
        rules = []
        for entry in document["syscalls"]?.arrayValue ?? [] { rules.append(try Rule(entry)) }
    }

    static func failure(_ reason: String) -> Failure { Failure(.invalid, "invalid seccomp profile: \(reason)") }

    private static func architectures(_ document: JSON) throws(Failure) -> Architectures {
        let named = document["architectures"]?.arrayValue ?? []
        let mapped = document["archMap"]?.arrayValue ?? []
        if !named.isEmpty && !mapped.isEmpty { throw failure("both architectures and archMap are given") }
        if !named.isEmpty {
            var names: [String] = []
            for value in named { names.append(try architecture(value)) }
            return .named(names)
        }
        if mapped.isEmpty { return .named([]) }
        // The map says which relatives each machine has; ours is the entry that names this build's machine.
        #if arch(x86_64)
            let own = "SCMP_ARCH_X86_64"
        #elseif arch(arm64)
            let own = "SCMP_ARCH_AARCH64"
        #else
            let own = ""
        #endif
        var names: [String] = []
        for entry in mapped where entry["architecture"]?.stringValue == own {
            for value in entry["subArchitectures"]?.arrayValue ?? [] { names.append(try architecture(value)) }
        }
        return .named(names)
    }

    /// `SCMP_ARCH_X86` to `x86`.
    private static func architecture(_ value: JSON) throws(Failure) -> String {
        guard let word = value.stringValue, word.hasPrefix("SCMP_ARCH_") else {
            throw failure("\(value.text) is no architecture")
        }
        return word.dropFirst("SCMP_ARCH_".count).lowercased()
    }

    static func action(_ word: String, errno: JSON?) throws(Failure) -> SyscallAction {
        var number: UInt16 = 1
        if let errno, !errno.isNull {
            guard let value = errno.intValue, let small = UInt16(exactly: value), small <= 4095 else {
                throw failure("errnoRet \(errno.text) is no error number")
            }
            number = small
        }
        switch word {
        case "SCMP_ACT_ALLOW": return .allow
        case "SCMP_ACT_ERRNO": return .fail(number)
        case "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD": return .killThread
        case "SCMP_ACT_KILL_PROCESS": return .killProcess
        case "SCMP_ACT_TRAP": return .trap
        case "SCMP_ACT_LOG": return .log
        case "SCMP_ACT_TRACE": return .trace(number)
        default: throw failure("unknown action \"\(word)\"")
        }
    }
}

extension SeccompProfile.Rule {
    init(_ entry: JSON) throws(Failure) {
        guard let word = entry["action"]?.stringValue else { throw SeccompProfile.failure("a rule without action") }
        self.init("", action: try SeccompProfile.action(word, errno: entry["errnoRet"]))
        names = try Self.strings(entry["names"])
        if let name = entry["name"]?.stringValue, !name.isEmpty { names.append(name) }
        if names.isEmpty { throw SeccompProfile.failure("a rule without names") }
        for argument in entry["args"]?.arrayValue ?? [] { conditions.append(try Self.condition(argument)) }
        if conditions.count > 6 { throw SeccompProfile.failure("more than six arguments for \(names[0])") }
        capabilities = try Self.strings(entry["includes"]?["caps"])
        missingCapabilities = try Self.strings(entry["excludes"]?["caps"])
        machines = try Self.strings(entry["includes"]?["arches"])
        otherMachines = try Self.strings(entry["excludes"]?["arches"])
        if let text = entry["includes"]?["minKernel"]?.stringValue, !text.isEmpty {
            guard let version = KernelVersion(text) else { throw SeccompProfile.failure("minKernel \"\(text)\"") }
            minimumKernel = version
        }
    }

    private static func strings(_ value: JSON?) throws(Failure) -> [String] {
        guard let value, !value.isNull else { return [] }
        guard let elements = value.arrayValue else {
            throw SeccompProfile.failure("\(value.kindName) instead of a list")
        }
        var strings: [String] = []
        for element in elements {
            guard let string = element.stringValue else {
                throw SeccompProfile.failure("\(element.text) instead of a name")
            }
            strings.append(string)
        }
        return strings
    }

    private static func condition(_ value: JSON) throws(Failure) -> SyscallCondition {
        guard let index = value["index"]?.unsignedValue, index < 6, let first = value["value"]?.unsignedValue,
            let word = value["op"]?.stringValue
        else { throw SeccompProfile.failure("an argument needs index 0 to 5, value and op") }
        let comparison: SyscallCondition.Comparison
        switch word {
        case "SCMP_CMP_NE": comparison = .notEqual
        case "SCMP_CMP_LT": comparison = .less
        case "SCMP_CMP_LE": comparison = .lessOrEqual
        case "SCMP_CMP_EQ": comparison = .equal
        case "SCMP_CMP_GE": comparison = .greaterOrEqual
        case "SCMP_CMP_GT": comparison = .greater
        case "SCMP_CMP_MASKED_EQ": comparison = .maskedEqual
        default: throw SeccompProfile.failure("unknown comparison \"\(word)\"")
        }
        return SyscallCondition(
            index: UInt32(index), comparison: comparison, value: first, second: value["valueTwo"]?.unsignedValue ?? 0)
    }
}
