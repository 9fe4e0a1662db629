internal import DockerAPI
internal import Failures
internal import JSON
internal import Linux

/// What `run` and `create` ask the engine for, made of the options that were typed.
///
/// Nothing is sent from here and nothing is looked up but files and variables that options name.
struct ContainerRequest: Sendable {
    private(set) var body = ContainerCreateRequest()
    let image: String

    private typealias Options = ContainerOptions

    /// - Parameter detached: nobody will attach to the container when it starts.
    init(_ parsed: ParsedArguments, detached: Bool, environment: Environment) throws(Failure) {
        image = parsed.arguments[0]
        body.config = try Self.config(parsed, detached: detached, environment: environment)
        var host = HostConfig()
        try Self.addLimits(parsed, to: &host)
        try Self.addIsolation(parsed, to: &host)
        try Self.addFiles(parsed, to: &host, config: &body.config)
        try Self.addPorts(parsed, to: &host, config: &body.config)
        try Self.addNames(parsed, to: &host)
        body.networkingConfig = try Self.networks(parsed, host: &host)
        host.autoRemove = parsed[Options.remove] ? true : nil
        host.containerIDFile = parsed[Options.cidFile]
        host.restartPolicy = try parsed[Options.restart].map(Self.restartPolicy)
        body.hostConfig = host
        if parsed[Options.remove], let policy = host.restartPolicy, policy.name != "no", !policy.name.isEmpty {
            throw Failure(.invalid, "conflicting options: cannot specify both --restart and --rm")
        }
    }

    /// The size of the terminal the container is to have from its first moment.
    mutating func setConsoleSize(_ size: WindowSize) {
        body.hostConfig?.consoleSize = [Int(size.rows), Int(size.columns)]
    }

    // MARK: The process

    private static func config(
        _ parsed: ParsedArguments, detached: Bool, environment: Environment
    ) throws(Failure) -> ContainerConfig {
        var config = ContainerConfig()
        let command = Array(parsed.arguments.dropFirst())
        config.image = parsed.arguments[0]
        config.cmd = command.isEmpty ? nil : command
        config.tty = parsed[Options.tty]
        config.openStdin = parsed[Options.interactive]
        let attached = Set(parsed[Options.attach].map { $0.lowercased() })
        config.attachStdin = !detached && (attached.isEmpty ? parsed[Options.interactive] : attached.contains("stdin"))
        config.attachStdout = !detached && (attached.isEmpty || attached.contains("stdout"))
        config.attachStderr = !detached && (attached.isEmpty || attached.contains("stderr"))
        config.stdinOnce = config.openStdin == true && config.attachStdin == true
        config.env = try EnvironmentList.variables(
            files: parsed[Options.envFile], lines: parsed[Options.env], from: environment)
        config.workingDir = parsed[Options.workdir]
        config.user = parsed[Options.user]
        config.entrypoint = parsed[Options.entrypoint].map { [$0] }
        config.hostname = parsed[Options.hostname]
        config.domainname = parsed[Options.domainname]
        config.labels = try EnvironmentList.labels(files: parsed[Options.labelFiles], lines: parsed[Options.labels])
        config.stopSignal = parsed[Options.stopSignal]
        config.stopTimeout = parsed[Options.stopTimeout].map { Int($0) }
        config.macAddress = parsed[Options.macAddress]
        config.healthcheck = try healthcheck(parsed)
        return config
    }

    private static func healthcheck(_ parsed: ParsedArguments) throws(Failure) -> HealthConfig? {
        var health = HealthConfig()
        health.test = parsed[Options.healthCommand].map { ["CMD-SHELL", $0] }
        health.interval = parsed[Options.healthInterval]
        health.timeout = parsed[Options.healthTimeout]
        health.startPeriod = parsed[Options.healthStartPeriod]
        health.startInterval = parsed[Options.healthStartInterval]
        health.retries = parsed[Options.healthRetries].map { Int($0) }
        let times = [health.interval, health.timeout, health.startPeriod, health.startInterval]
        guard times.allSatisfy({ ($0 ?? 0) >= 0 }), (health.retries ?? 0) >= 0 else {
            throw Failure(.invalid, "--health-* options cannot be negative")
        }
        guard parsed[Options.noHealthcheck] else { return health == HealthConfig() ? nil : health }
        guard health == HealthConfig() else {
            throw Failure(.invalid, "--no-healthcheck conflicts with --health-* options")
        }
        health.test = ["NONE"]
        return health
    }

    private static func restartPolicy(_ text: String) throws(Failure) -> RestartPolicy {
        var policy = RestartPolicy()
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        policy.name = parts[0]
        if parts.count == 2 {
            guard let count = Int(parts[1]) else {
                throw Failure(.invalid, "invalid restart policy format: maximum retry count must be an integer")
            }
            policy.maximumRetryCount = count
        }
        return policy
    }

    // MARK: Limits

    private static func addLimits(_ parsed: ParsedArguments, to host: inout HostConfig) throws(Failure) {
        host.memory = parsed[Options.memory]
        host.memoryReservation = parsed[Options.memoryReservation]
        host.memorySwap = parsed[Options.memorySwap]
        host.memorySwappiness = parsed[Options.memorySwappiness].flatMap { $0 == -1 ? nil : Int($0) }
        host.oomKillDisable = parsed[Options.oomKillDisable] ? true : nil
        host.oomScoreAdj = parsed[Options.oomScore].map { Int($0) }
        host.nanoCPUs = parsed[Options.cpus]
        host.cpuShares = parsed[Options.cpuShares]
        host.cpuPeriod = parsed[Options.cpuPeriod]
        host.cpuQuota = parsed[Options.cpuQuota]
        host.cpusetCpus = parsed[Options.cpusetCPUs]
        host.cpusetMems = parsed[Options.cpusetMems]
        host.blkioWeight = parsed[Options.blkioWeight].map { Int($0) }
        host.pidsLimit = parsed[Options.pidsLimit]
        host.shmSize = parsed[Options.shmSize]
        host.cgroupParent = parsed[Options.cgroupParent]
        let limits = try parsed[Options.ulimits].map { text throws(Failure) in try ulimit(text) }
        host.ulimits = limits.isEmpty ? nil : limits
    }

    private static let ulimitNames: Set<String> = [
        "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss",
        "rtprio", "rttime", "sigpending", "stack",
    ]

    /// "nofile=1024:2048".
    static func ulimit(_ text: String) throws(Failure) -> Ulimit {
        let (name, value) = keyValue(text)
        let numbers = value.split(separator: ":", omittingEmptySubsequences: false).map { Int64($0) }
        guard !name.isEmpty, (1...2).contains(numbers.count), let soft = numbers[0],
            let hard = numbers[numbers.count - 1]
        else { throw Failure(.invalid, "invalid ulimit argument: \(text)") }
        guard ulimitNames.contains(name) else { throw Failure(.invalid, "invalid ulimit type: \(name)") }
        guard hard == -1 || (soft != -1 && soft <= hard) else {
            throw Failure(.invalid, "ulimit soft limit must be less than or equal to hard limit: \(soft) > \(hard)")
        }
        var limit = Ulimit()
        limit.name = name
        limit.soft = soft
        limit.hard = hard
        return limit
    }

    // MARK: Isolation

    private static func addIsolation(_ parsed: ParsedArguments, to host: inout HostConfig) throws(Failure) {
        host.privileged = parsed[Options.privileged] ? true : nil
        let capabilities = CapabilityNames(adding: parsed[Options.capAdd], dropping: parsed[Options.capDrop])
        host.capAdd = capabilities.added.nonEmpty
        host.capDrop = capabilities.dropped.nonEmpty
        host.readonlyRootfs = parsed[Options.readOnly] ? true : nil
        host.ipcMode = parsed[Options.ipc]
        host.pidMode = try mode(parsed[Options.pid], "--pid", "PID", ["host"], sharing: true)
        host.utsMode = try mode(parsed[Options.uts], "--uts", "UTS", ["host"])
        host.usernsMode = try mode(parsed[Options.userns], "--userns", "USER", ["host"])
        host.cgroupnsMode = try mode(parsed[Options.cgroupns], "--cgroupns", "CGROUP", ["host", "private"])
        host.runtime = parsed[Options.runtime]
        host.groupAdd = parsed[Options.groupAdd].nonEmpty
        host.`init` = parsed[Options.initProcess]
        host.sysctls = map(parsed[Options.sysctls])
        host.annotations = map(parsed[Options.annotations])
        host.storageOpt = map(parsed[Options.storage])
        if parsed[Options.logDriver] != nil || !parsed[Options.logOptions].isEmpty {
            var log = LogConfig()
            log.type = parsed[Options.logDriver] ?? ""
            log.config = map(parsed[Options.logOptions]) ?? [:]
            if log.type == "none", !log.config.isEmpty {
                throw Failure(.invalid, "invalid logging opts for driver none")
            }
            host.logConfig = log
        }
        var security: [String] = []
        for option in parsed[Options.securityOpt] {
            if option == "systempaths=unconfined" || option == "systempaths:unconfined" {
                host.maskedPaths = []
                host.readonlyPaths = []
            } else {
                security.append(try securityOption(option))
            }
        }
        host.securityOpt = security.nonEmpty
    }

    /// A namespace's mode, one of a few words or another container's.
    private static func mode(
        _ mode: String?, _ option: String, _ kind: String, _ words: Set<String>, sharing: Bool = false
    ) throws(Failure) -> String? {
        let other = "container:"
        guard let mode, !mode.isEmpty, !words.contains(mode) else { return mode }
        guard sharing, mode.hasPrefix(other), mode != other else {
            throw Failure(.invalid, "\(option): invalid \(kind) mode")
        }
        return mode
    }

    /// A seccomp profile is sent as its text: the engine may not see our files.
    private static func securityOption(_ text: String) throws(Failure) -> String {
        let (key, value) = keyValue(text)
        guard key == "seccomp", !["unconfined", "builtin", ""].contains(value) else { return text }
        let profile: JSON
        do { profile = try JSON.parse(try readFile(value)) } catch let error as SystemError {
            throw Failure(.invalid, "opening seccomp profile (\(value)) failed: \(error.reason)", cause: error)
        } catch {
            throw Failure(.invalid, "seccomp profile \(value) is not JSON: \(error)", cause: error)
        }
        return "seccomp=\(profile.text)"
    }

    // MARK: Files

    private static func addFiles(
        _ parsed: ParsedArguments, to host: inout HostConfig, config: inout ContainerConfig
    ) throws(Failure) {
        var binds: [String] = []
        for volume in parsed[Options.volumes] {
            let parts = volume.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            guard !volume.isEmpty else { throw Failure(.invalid, "invalid empty volume spec") }
            guard !parts.contains("") else {
                throw Failure(.invalid, "invalid spec: \(volume): empty section between colons")
            }
            guard parts.count <= 3 else { throw Failure(.invalid, "invalid volume specification: '\(volume)'") }
            if parts.count == 1 {
                config.volumes = (config.volumes ?? [:]).merging([parts[0]: EmptyObject()]) { $1 }
            } else {
                let source = parts[0].hasPrefix(".") ? HostPath.absolute(parts[0]) : parts[0]
                binds.append(([source] + parts.dropFirst()).joined(separator: ":"))
            }
        }
        host.binds = binds.nonEmpty
        host.mounts = try parsed[Options.mounts].map { text throws(Failure) in try MountSpec.parse(text) }
            .nonEmpty
        for text in parsed[Options.tmpfs] {
            let pair = text.split(separator: ":", maxSplits: 1).map(String.init)
            guard let path = pair.first else { throw Failure(.invalid, "invalid tmpfs specification: '\(text)'") }
            host.tmpfs = (host.tmpfs ?? [:]).merging([path: pair.count == 2 ? pair[1] : ""]) { $1 }
        }
        host.volumesFrom = parsed[Options.volumesFrom].nonEmpty
        host.volumeDriver = parsed[Options.volumeDriver]
        host.devices = try parsed[Options.devices].map { text throws(Failure) in try device(text) }.nonEmpty
        host.deviceCgroupRules = parsed[Options.deviceRules].nonEmpty
    }

    /// "/dev/fuse", "/dev/a:/dev/b:rw".
    static func device(_ text: String) throws(Failure) -> DeviceMapping {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let isMode = { (text: String) in !text.isEmpty && text.allSatisfy { "rwm".contains($0) } }
        var mapping = DeviceMapping()
        mapping.pathOnHost = parts[0]
        mapping.pathInContainer = parts[0]
        mapping.cgroupPermissions = "rwm"
        switch parts.count {
        case 1: break
        case 2 where isMode(parts[1]): mapping.cgroupPermissions = parts[1]
        case 2: mapping.pathInContainer = parts[1]
        case 3 where isMode(parts[2]):
            mapping.pathInContainer = parts[1]
            mapping.cgroupPermissions = parts[2]
        case 3: throw Failure(.invalid, "bad mode specified: \(parts[2])")
        default: throw Failure(.invalid, "invalid device specification: \(text)")
        }
        return mapping
    }

    // MARK: Network

    private static func addPorts(
        _ parsed: ParsedArguments, to host: inout HostConfig, config: inout ContainerConfig
    ) throws(Failure) {
        var exposed: [String: EmptyObject] = [:]
        var bindings: [String: [PortBinding]] = [:]
        for text in parsed[Options.expose] {
            for name in try PortSpec(exposing: text).names { exposed[name] = EmptyObject() }
        }
        for text in parsed[Options.publish] {
            for (port, binding) in try PortSpec(parsing: text).bindings {
                exposed[port] = EmptyObject()
                bindings[port, default: []].append(binding)
            }
        }
        config.exposedPorts = exposed.isEmpty ? nil : exposed
        host.portBindings = bindings.isEmpty ? nil : bindings
        host.publishAllPorts = parsed[Options.publishAll] ? true : nil
    }

    private static func addNames(_ parsed: ParsedArguments, to host: inout HostConfig) throws(Failure) {
        let hosts = try parsed[Options.addHost].map { text throws(Failure) in try ExtraHost(parsing: text).entry }
        host.extraHosts = hosts.nonEmpty
        host.dns = parsed[Options.dns].nonEmpty
        host.dnsOptions = parsed[Options.dnsOption].nonEmpty
        host.dnsSearch = parsed[Options.dnsSearch].nonEmpty
        host.links = parsed[Options.links].nonEmpty
    }

    /// The first network is the container's mode; options without a network of their own belong to it.
    private static func networks(_ parsed: ParsedArguments, host: inout HostConfig) throws(Failure) -> NetworkingConfig?
    {
        var attachments = try (parsed[Options.network] + parsed[Options.net])
            .map { text throws(Failure) in try NetworkSpec(parsing: text) }
        if attachments.isEmpty { attachments = [NetworkSpec(name: "default")] }
        host.networkMode = attachments[0].name
        attachments[0].add(
            aliases: parsed[Options.networkAlias], ip: parsed[Options.ip], ip6: parsed[Options.ip6],
            macAddress: parsed[Options.macAddress])
        var config = NetworkingConfig()
        for attachment in attachments where attachment.isNamed {
            guard config.endpointsConfig[attachment.name] == nil else {
                throw Failure(.invalid, "network \"\(attachment.name)\" is specified multiple times")
            }
            config.endpointsConfig[attachment.name] = attachment.settings
        }
        return config.endpointsConfig.isEmpty ? nil : config
    }

    private static func map(_ lines: [String]) -> [String: String]? {
        lines.isEmpty ? nil : Dictionary(lines.map { keyValue($0) }.map { ($0.name, $0.value) }) { $1 }
    }
}

extension Array {
    /// Nil instead of nothing: members that say nothing are not sent.
    var nonEmpty: [Element]? { isEmpty ? nil : self }
}
