internal import JSON
internal import Linux

extension SeccompProfile {
    /// The rules that hold here, in the form of `linux.seccomp` of the runtime specification.
    func document(capabilities: Set<String>, on machine: SeccompMachine) -> JSON {
        var object: JSONObject = [:]
        Self.write(defaultAction, "defaultAction", "defaultErrnoRet", into: &object)
        let architectures: [String] =
            switch self.architectures {
            case .native: [machine.specificationName].compactMap { $0 } + machine.relatives
            case .named(let names): [machine.specificationName].compactMap { $0 } + names
            }
        var seen: Set<String> = []
        object["architectures"] = JSON(
            architectures.map { "SCMP_ARCH_\($0.uppercased())" }.filter { seen.insert($0).inserted })
        object["syscalls"] = .array(
            rules(capabilities: capabilities, on: machine).map { rule in
                var entry: JSONObject = ["names": JSON(rule.names)]
                Self.write(rule.action, "action", "errnoRet", into: &entry)
                if !rule.conditions.isEmpty { entry["args"] = .array(rule.conditions.map(Self.argument)) }
                return .object(entry)
            })
        return .object(object)
    }

    private static func write(_ action: SyscallAction, _ key: String, _ number: String, into object: inout JSONObject) {
        switch action.rawValue & 0xffff_0000 {
        case SyscallAction.allow.rawValue: object[key] = "SCMP_ACT_ALLOW"
        case SyscallAction.log.rawValue: object[key] = "SCMP_ACT_LOG"
        case SyscallAction.trap.rawValue: object[key] = "SCMP_ACT_TRAP"
        case SyscallAction.killProcess.rawValue: object[key] = "SCMP_ACT_KILL_PROCESS"
        case SyscallAction.killThread.rawValue: object[key] = "SCMP_ACT_KILL_THREAD"
        case SyscallAction.trace(0).rawValue:
            object[key] = "SCMP_ACT_TRACE"
            object[number] = JSON(action.rawValue & 0xffff)
        default:
            object[key] = "SCMP_ACT_ERRNO"
            object[number] = JSON(action.rawValue & 0xffff)
        }
    }

    private static func argument(_ condition: SyscallCondition) -> JSON {
        let word =
            switch condition.comparison {
            case .notEqual: "SCMP_CMP_NE"
            case .less: "SCMP_CMP_LT"
            case .lessOrEqual: "SCMP_CMP_LE"
            case .equal: "SCMP_CMP_EQ"
            case .greaterOrEqual: "SCMP_CMP_GE"
            case .greater: "SCMP_CMP_GT"
            case .maskedEqual: "SCMP_CMP_MASKED_EQ"
            }
        var entry: JSONObject = ["index": JSON(condition.index), "value": JSON(condition.value), "op": .string(word)]
        if condition.comparison == .maskedEqual { entry["valueTwo"] = JSON(condition.second) }
        return .object(entry)
    }
}

extension SeccompMachine {
    /// The machine's own convention, by libseccomp's name.
    fileprivate var specificationName: String? {
        switch name {
        case "amd64": "x86_64"
        case "arm64": "aarch64"
        default: nil
        }
    }
}
