internal import DockerfileSyntax
internal import OCI

/// Instructions that change the config alone.
extension Planner {
    mutating func configure(_ instruction: Instruction, _ state: inout StageState) throws(SyntaxProblem) {
        let rules = self.rules(state)
        switch instruction.operation {
        case .arg(let declared): for argument in declared { try declare(argument, &state) }
        case .env(let pairs):
            // All of a line sees the values from before it.
            var values: [(String, String)] = []
            for pair in pairs { values.append((try rules.word(pair.key), try rules.word(pair.value))) }
            for (key, value) in values { state.set(key, to: value) }
        case .label(let pairs):
            for pair in pairs { state.config.labels[try rules.word(pair.key)] = try rules.word(pair.value) }
        case .maintainer(let name): state.author = name
        case .cmd(let command):
            state.config.cmd = words(command, state)
            state.setsCommand = true
        case .entrypoint(let command):
            state.config.entrypoint = words(command, state)
            // The base's arguments were meant for the base's program.
            if !state.setsCommand { state.config.cmd = nil }
        case .shell(let words): state.config.shell = words
        case .user(let user):
            state.config.user = try rules.word(user)
            if state.config.user.isEmpty { throw SyntaxProblem("USER is empty after expansion") }
        case .expose(let text):
            for port in try Self.ports(try rules.words(text)) where !state.config.exposedPorts.contains(port) {
                state.config.exposedPorts.append(port)
            }
        case .volume(let paths):
            for path in paths {
                let volume = try rules.word(path)
                if volume.isEmpty { throw SyntaxProblem("VOLUME specified can not be an empty string") }
                if !state.config.volumes.contains(volume) { state.config.volumes.append(volume) }
            }
        case .stopSignal(let text):
            let signal = try rules.word(text)
            guard Signals.isSignal(signal) else { throw SyntaxProblem("invalid signal: \(signal)") }
            state.config.stopSignal = signal
        case .healthcheck(let check): state.config.healthcheck = healthcheck(check, state)
        case .onBuild(let trigger): state.config.onBuild.append(Self.stored(trigger))
        case .from, .run, .copy, .add, .workdir: break
        }
    }

    private mutating func declare(_ argument: Instruction.Argument, _ state: inout StageState) throws(SyntaxProblem) {
        consumed.insert(argument.name)
        let preset = try argument.value.map { text throws(SyntaxProblem) in try rules(state).word(text) }
        let inherited = preset == nil ? selection.globals[argument.name] ?? arguments.platform[argument.name] : nil
        state.declare(argument.name, arguments[argument.name] ?? preset ?? inherited)
    }

    private func words(_ command: Instruction.Command, _ state: StageState) -> [String] {
        switch command {
        case .exec(let words): words
        case .shell(let line): state.shell + [line]
        }
    }

    private func healthcheck(_ check: Instruction.Healthcheck, _ state: StageState) -> ImageConfig.Healthcheck {
        let test: [String] =
            switch check.command {
            case nil: ["NONE"]
            case .exec(let words): ["CMD"] + words
            case .shell(let line): ["CMD-SHELL", line]
            }
        return ImageConfig.Healthcheck(
            test: test, interval: check.interval, timeout: check.timeout, startPeriod: check.startPeriod,
            startInterval: check.startInterval,
            retries: check.retries)
    }

    /// The trigger as an image keeps it, here-documents included.
    private static func stored(_ trigger: Instruction) -> String {
        let heredocs: [Heredoc] =
            switch trigger.operation {
            case .run(let run): run.heredocs
            case .copy(let copy), .add(let copy): copy.heredocs
            default: []
            }
        return heredocs.reduce(trigger.text) { $0 + "\n" + $1.content + $1.name }
    }

    /// `80`, `53/udp`, `3000-3010`: each as `port/protocol`.
    static func ports(_ words: [String]) throws(SyntaxProblem) -> [String] {
        var ports: [String] = []
        for word in words {
            let parts = word.split(separator: "/", omittingEmptySubsequences: false)
            let proto = parts.count > 1 ? parts[1].lowercased() : "tcp"
            guard parts.count <= 2, ["tcp", "udp", "sctp"].contains(proto) else {
                throw SyntaxProblem("invalid proto: \(word)")
            }
            let bounds = parts[0].split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
            guard let first = bounds.first ?? nil, let last = bounds.last ?? nil, bounds.count <= 2, first > 0,
                first <= last
            else {
                throw SyntaxProblem("invalid containerPort: \(word)")
            }
            ports += (first...last).map { "\($0)/\(proto)" }
        }
        return ports
    }
}
