extension InstructionParser {
    func run(_ flags: [String], _ rest: String, _ heredocs: [Heredoc]) throws(SyntaxProblem) -> Instruction.Run {
        let set = try FlagSet(flags, known: ["mount", "network", "security", "device"], repeated: ["mount", "device"])
        guard !rest.isEmpty else { throw SyntaxProblem("RUN requires at least one argument") }
        var run = Instruction.Run(command: try command(rest), heredocs: heredocs)
        if case .exec(let words) = run.command, words.isEmpty {
            throw SyntaxProblem("RUN requires at least one argument")
        }
        for text in set.strings("mount") { run.mounts.append(try mount(text)) }
        if let network = set.string("network") {
            guard let mode = Instruction.Run.NetworkMode(rawValue: network) else {
                throw SyntaxProblem("invalid network mode: \"\(network)\", must be default, none or host")
            }
            run.network = mode
        }
        if let security = set.string("security"), security != "sandbox" {
            guard security == "insecure" else {
                throw SyntaxProblem("security \"\(security)\" is not valid, must be sandbox or insecure")
            }
            throw SyntaxProblem(
                "RUN --security=insecure is not allowed: steps always run in the sandbox of a container")
        }
        if !set.strings("device").isEmpty {
            throw SyntaxProblem("RUN --device is not supported: steps see the default devices of a container")
        }
        return run
    }

    private static let mountKeys = [
        "type", "target", "dst", "destination", "source", "src", "from", "id", "ro", "readonly", "rw", "readwrite",
        "sharing", "mode",
        "uid", "gid", "size", "required", "env",
    ]

    func mount(_ text: String) throws(SyntaxProblem) -> Instruction.Mount {
        var mount = Instruction.Mount()
        var readOnly: Bool?
        for field in Self.fields(text) {
            let equals = field.firstIndex(of: "=")
            let key = field[..<(equals ?? field.endIndex)].lowercased()
            let value = equals.map { String(field[field.index(after: $0)...]) }
            guard Self.mountKeys.contains(key) else {
                throw SyntaxProblem(
                    "unexpected key '\(key)' in '\(field)'\(Spelling.hint(for: key, among: Self.mountKeys))")
            }
            if let flag = try Self.switched(key, value, field) {
                switch key {
                case "required": mount.required = flag
                case "ro", "readonly": readOnly = flag
                default: readOnly = !flag
                }
                continue
            }
            guard let value, !value.isEmpty else {
                throw SyntaxProblem("invalid field '\(field)' must be a key=value pair")
            }
            switch key {
            case "type": mount.kind = try Self.choice(value, "mount type")
            case "target", "dst", "destination": mount.target = value
            case "source", "src": mount.source = value
            case "from": mount.from = value
            case "id": mount.id = value
            case "sharing": mount.sharing = try Self.choice(value, "sharing value")
            case "mode":
                guard let mode = UInt16(value, radix: 8), mode <= 0o7777 else { throw Self.invalid(key, value) }
                mount.mode = mode
            case "uid": mount.user = try Self.number(key, value)
            case "gid": mount.group = try Self.number(key, value)
            case "size":
                guard let size = ByteCount.parse(value) else { throw Self.invalid(key, value) }
                mount.size = size
            default: break
            }
        }
        mount.readOnly = readOnly ?? (mount.kind == .bind)
        let needsTarget = mount.kind != .secret && mount.kind != .ssh
        if needsTarget, mount.target.isEmpty {
            throw SyntaxProblem("--mount=type=\(mount.kind.rawValue) needs target=")
        }
        if mount.kind == .bind, mount.size != nil { throw SyntaxProblem("a bind mount takes no size") }
        return mount
    }

    private static func switched(_ key: String, _ value: String?, _ field: String) throws(SyntaxProblem) -> Bool? {
        guard ["ro", "readonly", "rw", "readwrite", "required"].contains(key) else { return nil }
        switch value?.lowercased() {
        case nil, "true", "1": return true
        case "false", "0": return false
        default: throw SyntaxProblem("invalid value for \(key): \(value ?? "")")
        }
    }

    private static func choice<Choice: RawRepresentable & CaseIterable>(
        _ value: String, _ what: String
    ) throws(SyntaxProblem) -> Choice where Choice.RawValue == String {
        if let choice = Choice(rawValue: value.lowercased()) { return choice }
        let known = Choice.allCases.map(\.rawValue)
        throw SyntaxProblem(
            "unsupported \(what) \"\(value)\"\(Spelling.hint(for: value.lowercased(), among: known)): one of \(known.joined(separator: ", "))"
        )
    }

    private static func number(_ key: String, _ value: String) throws(SyntaxProblem) -> UInt32 {
        guard let number = UInt32(value) else { throw invalid(key, value) }
        return number
    }

    private static func invalid(_ key: String, _ value: String) -> SyntaxProblem {
        SyntaxProblem("invalid value for \(key): \(value)")
    }

    /// The fields between commas; a field in double quotes may hold one.
    private static func fields(_ text: String) -> [String] {
        var fields: [String] = []
        var field = ""
        var quoted = false
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted.toggle()
            case "," where !quoted:
                fields.append(field)
                field = ""
            default: field.unicodeScalars.append(scalar)
            }
        }
        return (fields + [field]).filter { !$0.isEmpty }
    }

    // MARK: HEALTHCHECK

    func healthcheck(_ flags: [String], _ rest: String) throws(SyntaxProblem) -> Instruction.Healthcheck {
        let set = try FlagSet(flags, known: ["interval", "timeout", "start-period", "start-interval", "retries"])
        let (kind, arguments) = rest.firstWord
        var check = Instruction.Healthcheck()
        switch kind.uppercased() {
        case "": throw SyntaxProblem("HEALTHCHECK requires at least one argument")
        case "NONE":
            guard arguments.isEmpty, flags.isEmpty else { throw SyntaxProblem("HEALTHCHECK NONE takes no arguments") }
            return check
        case "CMD":
            let command = try command(arguments)
            if case .exec(let words) = command, words.isEmpty {
                throw SyntaxProblem("Missing command after HEALTHCHECK CMD")
            }
            check.command = command
        default: throw SyntaxProblem("Unknown type \"\(kind)\" in HEALTHCHECK (try CMD)")
        }
        check.interval = try duration(set, "interval")
        check.timeout = try duration(set, "timeout")
        check.startPeriod = try duration(set, "start-period")
        check.startInterval = try duration(set, "start-interval")
        if let retries = set.string("retries") {
            guard let count = Int(retries), count >= 0 else {
                throw SyntaxProblem("--retries cannot be \"\(retries)\": it must be 0 or more")
            }
            check.retries = count
        }
        return check
    }

    private func duration(_ set: FlagSet, _ name: String) throws(SyntaxProblem) -> Int64 {
        guard let text = set.string(name) else { return 0 }
        guard let duration = GoDuration.parse(text) else {
            throw SyntaxProblem("--\(name): \"\(text)\" is no duration: write it like 30s or 1m30s")
        }
        guard duration == 0 || duration >= 1_000_000 else {
            throw SyntaxProblem("--\(name) \"\(text)\" cannot be less than 1ms")
        }
        return duration
    }
}
