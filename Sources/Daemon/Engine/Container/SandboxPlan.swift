internal import Execution
internal import Failures
internal import JSON
internal import Linux

/// Turns a container's settings into what the execution layer starts.
///
/// Pure: everything it needs is in `Surroundings`.
struct SandboxPlan {
    /// What the plan cannot know from the container's own settings.
    struct Surroundings {
        var hostname: String
        /// The container's cgroup below a parent, which is empty for the daemon's own.
        var cgroup: (String) throws(Failure) -> SandboxCgroup
        /// The three name files on the host.
        var hostsPath: String
        var hostnamePath: String
        var resolvConfPath: String
        /// Where a volume's data is.
        var volumePath: (String) -> String
        /// The process id of another container's init, for `container:x` modes.
        var pid: (String) throws(Failure) -> Int32
        var defaultUlimits: [Ulimit]
    }

    let config: ContainerConfig
    let host: HostSettings
    let mounts: [MountPoint]
    let surroundings: Surroundings

    /// - Parameter checkingOnly: leave out what only a start can know: other containers' processes.
    func settings(checkingOnly: Bool = false) throws(Failure) -> SandboxSettings {
        var settings = SandboxSettings(
            arguments: config.processArguments, cgroup: try surroundings.cgroup(host.cgroupParent))
        settings.environment = environment(tty: config.tty)
        settings.workingDirectory = config.workingDirectory.isEmpty ? "/" : config.workingDirectory
        settings.user = config.user
        settings.additionalGroups = host.groupAdd
        settings.terminal = config.tty
        settings.consoleSize = host.consoleSize
        settings.rlimits = rlimits()
        settings.oomScoreAdjustment = host.oomScoreAdj
        settings.hostname = surroundings.hostname
        settings.domainname = config.domainname
        settings.readonlyRootfs = host.readonlyRootfs
        settings.mounts = sandboxMounts()
        settings.sharedMemorySize = host.shmSize
        if !checkingOnly { settings.namespaces = try namespaces() }
        for device in host.devices {
            settings.devices.append(
                Execution.DeviceMapping(
                    hostPath: device.pathOnHost, containerPath: device.pathInContainer, permissions: device.permissions)
            )
        }
        for rule in host.deviceCgroupRules { settings.deviceRules.append(try Self.deviceRule(rule)) }
        settings.sysctls = host.sysctls
        settings.maskedPaths = host.maskedPaths
        settings.readonlyPaths = host.readonlyPaths
        settings.capabilitiesToAdd = host.capAdd
        settings.capabilitiesToDrop = host.capDrop
        settings.privileged = host.privileged
        try applySecurityOptions(to: &settings)
        settings.limits = limits()
        return settings
    }

    // MARK: Process

    /// Docker's own variables first, then the container's over them; an entry without `=` takes a variable away.
    ///
    /// - Parameters:
    ///   - tty: whether the process has a terminal.
    ///   - adding: an exec's own variables, over all others.
    func environment(tty: Bool, adding more: [String] = []) -> [String] {
        var order: [String] = []
        var values: [String: String] = [:]
        func set(_ entry: String) {
            guard let equals = entry.firstIndex(of: "=") else {
                values[entry] = nil
                return
            }
            let name = String(entry[..<equals])
            if values[name] == nil, !order.contains(name) { order.append(name) }
            values[name] = entry
        }
        set("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        set("HOSTNAME=" + surroundings.hostname)
        if tty { set("TERM=xterm") }
        for entry in config.env + more { set(entry) }
        return order.compactMap { values[$0] }
    }

    private func rlimits() -> [ResourceLimit] {
        let own = Set(host.ulimits.map(\.name))
        return (host.ulimits + surroundings.defaultUlimits.filter { !own.contains($0.name) }).map { limit in
            ResourceLimit(
                limit.name, soft: limit.soft < 0 ? .max : UInt64(limit.soft),
                hard: limit.hard < 0 ? .max : UInt64(limit.hard))
        }
    }

    private func limits() -> ResourceLimits {
        var limits = ResourceLimits()
        limits.memory = host.memory
        // Docker's: as much swap again as memory, unless it was said otherwise.
        limits.memoryAndSwap =
            host.memorySwap
            ?? host.memory.map { $0.multipliedReportingOverflow(by: 2) }.map { $0.overflow ? -1 : $0.partialValue }
        limits.memoryReservation = host.memoryReservation
        limits.swappiness = host.memorySwappiness
        limits.disableOOMKiller = host.oomKillDisable
        limits.cpuShares = host.cpuShares
        limits.cpuQuota = host.cpuQuota
        limits.cpuPeriod = host.cpuPeriod
        if let nanoCPUs = host.nanoCPUs {
            limits.cpuPeriod = 100_000
            limits.cpuQuota = max(1000, nanoCPUs / 10_000)
        }
        limits.cpusetCPUs = host.cpusetCPUs
        limits.cpusetMemory = host.cpusetMems
        limits.pids = host.pidsLimit
        limits.blockIOWeight = host.blkioWeight.map { UInt16(clamping: $0) }
        return limits
    }

    // MARK: View

    private func sandboxMounts() -> [SandboxMount] {
        var result: [SandboxMount] = []
        let taken = Set(mounts.map(\.destination))
        let nameFiles = [
            ("/etc/resolv.conf", surroundings.resolvConfPath), ("/etc/hostname", surroundings.hostnamePath),
            ("/etc/hosts", surroundings.hostsPath),
        ]
        for (target, source) in nameFiles where !taken.contains(target) && !source.isEmpty {
            result.append(SandboxMount(.bind(source: source), target: target, readOnly: host.readonlyRootfs))
        }
        for point in mounts {
            switch point.kind {
            case .bind:
                result.append(
                    SandboxMount(
                        .bind(source: point.source), target: point.destination, readOnly: !point.writable,
                        propagation: point.propagation.isEmpty ? "rprivate" : point.propagation,
                        recursive: point.recursive))
            case .volume:
                result.append(
                    SandboxMount(
                        .bind(source: surroundings.volumePath(point.name)), target: point.destination,
                        readOnly: !point.writable))
            case .tmpfs:
                var options: [String] = []
                if point.tmpfsSize > 0 { options.append("size=\(point.tmpfsSize)") }
                if let mode = point.tmpfsMode { options.append("mode=" + String(mode, radix: 8)) }
                result.append(
                    SandboxMount(.tmpfs, target: point.destination, readOnly: !point.writable, options: options))
            }
        }
        for (target, options) in host.tmpfs.sorted(by: { $0.key < $1.key }) {
            let words = options.split(separator: ",").map(String.init)
            result.append(
                SandboxMount(
                    .tmpfs, target: MountPlan.clean(target), readOnly: words.contains("ro"),
                    options: words.filter { $0 != "ro" && $0 != "rw" }))
        }
        return result
    }

    private func namespaces() throws(Failure) -> SandboxNamespaces {
        var namespaces = SandboxNamespaces()
        namespaces.pid = try source(host.pidMode, "pid")
        namespaces.ipc = try source(host.ipcMode, "ipc")
        namespaces.uts = try source(host.utsMode, "uts")
        namespaces.cgroup = try source(host.cgroupnsMode, "cgroup")
        namespaces.network = try source(
            host.networkMode == "host" || host.networkMode.hasPrefix("container:") ? host.networkMode : "", "net")
        return namespaces
    }

    private func source(_ mode: String, _ kind: String) throws(Failure) -> SandboxNamespaces.Source {
        if mode == "host" { return .host }
        if mode.hasPrefix("container:") {
            return .path("/proc/\(try surroundings.pid(String(mode.dropFirst("container:".utf8.count))))/ns/\(kind)")
        }
        return .own
    }

    // MARK: Rights

    private func applySecurityOptions(to settings: inout SandboxSettings) throws(Failure) {
        for option in host.securityOptions {
            let parsed = try SecurityOption(parsing: option)
            switch parsed {
            case .noNewPrivileges(let on): settings.noNewPrivileges = on
            case .seccomp(let choice): settings.seccomp = choice
            case .apparmor(let profile): settings.apparmorProfile = profile
            case .unsupportedLabel: break
            }
        }
    }

    /// One `--security-opt`.
    enum SecurityOption {
        case noNewPrivileges(Bool)
        case seccomp(SeccompChoice)
        /// A profile that is loaded on the host, which only the start can tell.
        case apparmor(String)
        /// Labels are taken where they ask for nothing (`unconfined`, `disable`).
        case unsupportedLabel

        init(parsing text: String) throws(Failure) {
            let invalid = Failure(.invalid, "invalid --security-opt: \"\(text)\"")
            if text == "no-new-privileges" {
                self = .noNewPrivileges(true)
                return
            }
            guard let separator = text.firstIndex(where: { $0 == "=" || $0 == ":" }) else { throw invalid }
            let key = text[..<separator]
            let value = String(text[text.index(after: separator)...])
            switch key {
            case "no-new-privileges":
                guard value == "true" || value == "false" else { throw invalid }
                self = .noNewPrivileges(value == "true")
            case "seccomp":
                switch value {
                case "unconfined": self = .seccomp(.unconfined)
                case "builtin", "": self = .seccomp(.standard)
                default:
                    do { self = .seccomp(.custom(try JSON.parse(value))) } catch {
                        throw Failure(.invalid, "Decoding seccomp profile failed: \(error)", cause: error)
                    }
                }
            case "apparmor" where value == "unconfined" || value.isEmpty, "label" where value == "disable",
                "systempaths" where value == "unconfined":
                self = .unsupportedLabel
            case "apparmor": self = .apparmor(value)
            case "label":
                throw Failure(
                    .invalid,
                    "security option \"\(text)\" needs a security module that Skiff does not use yet; leave it out")
            default: throw invalid
            }
        }
    }

    /// `c 10:200 rwm`, with `*` for any number.
    static func deviceRule(_ text: String) throws(Failure) -> DeviceRule {
        let invalid = Failure(.invalid, "invalid device cgroup rule format: '\(text)'")
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, ["a", "b", "c"].contains(parts[0]), !parts[2].isEmpty,
            parts[2].allSatisfy({ "rwm".contains($0) })
        else { throw invalid }
        let numbers = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        guard numbers.count == 2 else { throw invalid }
        func number(_ text: Substring) throws(Failure) -> Int64? {
            if text == "*" { return nil }
            guard let value = UInt32(text) else { throw invalid }
            return Int64(value)
        }
        return DeviceRule(
            type: String(parts[0]), major: try number(numbers[0]), minor: try number(numbers[1]),
            access: String(parts[2]))
    }
}
