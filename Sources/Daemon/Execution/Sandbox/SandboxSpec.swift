internal import Failures
internal import Linux
internal import OCI

/// A device of the host with everything a container's own node of it needs.
struct HostDevice: Sendable, Hashable {
    /// Where it goes in the container.
    var path: String
    /// `c` or `b`.
    var type: String
    var major: Int64
    var minor: Int64
    /// Permission bits.
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
    /// Of `r`, `w`, `m`.
    var permissions: String
}

/// Makes the OCI document of a sandbox: pure, every decision visible in what comes out.
///
/// What needs a look at the host (devices, the capabilities this host can give) comes in.
struct SandboxSpec {
    let settings: SandboxSettings
    /// The devices that `settings.devices` stand for, or all of the host's for a privileged container.
    let devices: [HostDevice]
    /// The capabilities this host can give.
    let availableCapabilities: Set<String>

    /// - Throws: `invalid`, naming the setting that can never work.
    func document() throws(Failure) -> RuntimeSpec {
        var spec = RuntimeSpec(
            process: try process(), root: RuntimeSpec.Root(path: "rootfs", readonly: settings.readonlyRootfs),
            mounts: try mounts())
        if settings.namespaces.uts != .host {
            if !settings.hostname.isEmpty { spec.hostname = settings.hostname }
            if !settings.domainname.isEmpty { spec.domainname = settings.domainname }
        }
        spec.linux.namespaces = namespaces()
        spec.linux.cgroupsPath = settings.cgroup.path
        spec.linux.resources = try resources()
        spec.linux.devices = devices.map { device in
            var entry = RuntimeSpec.Device(
                type: device.type, path: device.path, major: device.major, minor: device.minor, mode: device.mode)
            entry.uid = device.uid
            entry.gid = device.gid
            return entry
        }
        spec.linux.sysctl = try sysctls()
        spec.linux.maskedPaths = settings.privileged ? [] : settings.maskedPaths ?? SandboxDefaults.maskedPaths
        spec.linux.readonlyPaths = settings.privileged ? [] : settings.readonlyPaths ?? SandboxDefaults.readonlyPaths
        return spec
    }

    private func process() throws(Failure) -> RuntimeSpec.Process {
        guard !settings.arguments.isEmpty else { throw Failure(.invalid, "no command specified") }
        guard settings.workingDirectory.isEmpty || settings.workingDirectory.hasPrefix("/") else {
            throw Failure(
                .invalid,
                "the working directory '\(settings.workingDirectory)' is invalid, it needs to be an absolute path")
        }
        var process = RuntimeSpec.Process(
            arguments: settings.arguments, environment: settings.environment,
            directory: settings.workingDirectory.isEmpty ? "/" : settings.workingDirectory)
        process.terminal = settings.terminal
        process.consoleSize = settings.consoleSize.map { RuntimeSpec.ConsoleSize(rows: $0.rows, columns: $0.columns) }
        if !settings.user.isEmpty { process.user.name = settings.user }
        process.user.additionalGroups = settings.additionalGroups
        let names = try CapabilityNames.effective(
            adding: settings.capabilitiesToAdd, dropping: settings.capabilitiesToDrop, privileged: settings.privileged,
            available: availableCapabilities)
        var capabilities = RuntimeSpec.Capabilities()
        // For a user that is not root the kernel drops all but the bounding set at exec: there are no ambient ones.
        (capabilities.bounding, capabilities.effective, capabilities.permitted) = (names, names, names)
        process.capabilities = capabilities
        process.noNewPrivileges = settings.noNewPrivileges
        process.apparmorProfile = settings.apparmorProfile
        guard let adjustment = Int32(exactly: settings.oomScoreAdjustment), (-1000...1000).contains(adjustment) else {
            throw Failure(
                .invalid,
                "Invalid value \(settings.oomScoreAdjustment), range for oom score adj is [-1000, 1000]")
        }
        process.oomScoreAdjustment = adjustment
        process.rlimits = settings.rlimits.map {
            RuntimeSpec.ResourceLimit(type: "RLIMIT_\($0.name.uppercased())", soft: $0.soft, hard: $0.hard)
        }
        return process
    }

    // MARK: Mounts

    /// The defaults, without those a mount of the caller's replaces, then the caller's, parents first.
    private func mounts() throws(Failure) -> [RuntimeSpec.Mount] {
        let targets = Set(settings.mounts.map { Self.normalised($0.target) })
        let ownDev = targets.contains("/dev")
        let defaults = SandboxDefaults.mounts(settings).filter { mount in
            !targets.contains(mount.destination) && !(ownDev && mount.destination.hasPrefix("/dev/"))
        }
        var mounts: [(order: (Int, Int), mount: RuntimeSpec.Mount)] = []
        for (index, mount) in settings.mounts.enumerated() {
            let target = Self.normalised(mount.target)
            guard mount.target.hasPrefix("/") else {
                throw Failure(.invalid, "invalid mount path: '\(mount.target)' mount path must be absolute")
            }
            if target == "/" {
                throw Failure(.invalid, "invalid specification: destination can't be '/'")
            }
            mounts.append(((target.split(separator: "/").count, index), Self.mount(mount, target)))
        }
        return defaults + mounts.sorted { $0.order < $1.order }.map(\.mount)
    }

    private static func mount(_ mount: SandboxMount, _ target: String) -> RuntimeSpec.Mount {
        switch mount.kind {
        case .bind(let source):
            return RuntimeSpec.Mount(
                destination: target, type: "bind", source: source,
                options: [mount.recursive ? "rbind" : "bind", mount.readOnly ? "ro" : "rw", mount.propagation]
                    + mount.options)
        case .tmpfs:
            return RuntimeSpec.Mount(
                destination: target, type: "tmpfs", source: "tmpfs",
                options: tmpfsOptions(mount.options + (mount.readOnly ? ["ro"] : [])))
        case .other(let type, let source):
            return RuntimeSpec.Mount(
                destination: target, type: type, source: source, options: mount.options + (mount.readOnly ? ["ro"] : [])
            )
        }
    }

    /// Docker's defaults for `--tmpfs`, each undone by its opposite, and a later word wins over an earlier one.
    static func tmpfsOptions(_ words: [String]) -> [String] {
        let opposites = [
            "exec": "noexec", "suid": "nosuid", "dev": "nodev", "rw": "ro", "sync": "async", "atime": "noatime",
            "diratime": "nodiratime", "relatime": "norelatime",
        ]
        func subject(_ word: String) -> String {
            let name = String(word.prefix { $0 != "=" })
            return opposites.first { $0.value == name }?.key ?? name
        }
        var chosen: [String] = []
        for word in ["noexec", "nosuid", "nodev"] + words where !word.isEmpty {
            chosen.removeAll { subject($0) == subject(word) }
            chosen.append(word)
        }
        return chosen
    }

    /// The path without repeated, leading or trailing separators and `.`; `..` never climbs above the root.
    static func normalised(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    // MARK: Namespaces and kernel settings

    private func namespaces() -> [RuntimeSpec.Namespace] {
        var namespaces = [RuntimeSpec.Namespace(.mount)]
        let sources: [(RuntimeSpec.Namespace.Kind, SandboxNamespaces.Source)] = [
            (.pid, settings.namespaces.pid), (.ipc, settings.namespaces.ipc), (.uts, settings.namespaces.uts),
            (.network, settings.namespaces.network), (.cgroup, settings.namespaces.cgroup),
        ]
        for (kind, source) in sources {
            switch source {
            case .own: namespaces.append(RuntimeSpec.Namespace(kind))
            case .path(let path): namespaces.append(RuntimeSpec.Namespace(kind, path: path))
            case .host: break
            }
        }
        return namespaces
    }

    /// Only settings that a namespace of the container's own holds: anything else would change the host.
    private func sysctls() throws(Failure) -> [String: String] {
        var settings = self.settings.namespaces.network == .own ? SandboxDefaults.networkSysctls : [:]
        for (name, value) in self.settings.sysctls {
            guard name.utf8.allSatisfy({ $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "\n") && $0 != 0 }),
                !name.split(separator: ".", omittingEmptySubsequences: false).contains(where: {
                    $0.isEmpty || $0 == ".."
                }),
                !name.contains("/../")
            else { throw Failure(.invalid, "sysctl '\(name)' is not a name") }
            let source: SandboxNamespaces.Source
            if name.hasPrefix("net.") {
                source = self.settings.namespaces.network
            } else if Self.ipcSysctls.contains(name) || name.hasPrefix("fs.mqueue.") {
                source = self.settings.namespaces.ipc
            } else {
                throw Failure(.invalid, "sysctl '\(name)' is not allowed: no namespace of a container holds it")
            }
            if source == .host {
                throw Failure(.invalid, "sysctl '\(name)' not allowed in host namespace")
            }
            settings[name] = value
        }
        return settings
    }

    private static let ipcSysctls: Set<String> = [
        "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
    ]

    // MARK: Limits

    private func resources() throws(Failure) -> RuntimeSpec.Resources {
        var resources = Self.resources(settings.limits)
        if settings.privileged {
            resources.devices = [RuntimeSpec.Resources.DeviceRule(allow: true)]
            return resources
        }
        resources.devices = SandboxDefaults.deviceRules
        for device in devices {
            resources.devices.append(
                RuntimeSpec.Resources.DeviceRule(
                    allow: true, type: device.type, major: device.major, minor: device.minor, access: device.permissions
                ))
        }
        for rule in settings.deviceRules {
            guard ["a", "b", "c"].contains(rule.type), !rule.access.isEmpty, rule.access.allSatisfy("rwm".contains)
            else {
                throw Failure(.invalid, "invalid device cgroup rule format: '\(rule.type) \(rule.access)'")
            }
            resources.devices.append(
                RuntimeSpec.Resources.DeviceRule(
                    allow: rule.allow, type: rule.type, major: rule.major, minor: rule.minor, access: rule.access))
        }
        return resources
    }

    /// The limits alone, as an update sends them.
    static func resources(_ limits: ResourceLimits) -> RuntimeSpec.Resources {
        var resources = RuntimeSpec.Resources()
        resources.memory.limit = limits.memory
        resources.memory.swap = limits.memoryAndSwap
        resources.memory.reservation = limits.memoryReservation
        resources.memory.swappiness = limits.swappiness.flatMap { UInt64(exactly: $0) }
        if limits.disableOOMKiller { resources.memory.disableOOMKiller = true }
        resources.cpu.shares = limits.cpuShares.flatMap { UInt64(exactly: $0) }
        resources.cpu.quota = limits.cpuQuota
        resources.cpu.period = limits.cpuPeriod.flatMap { UInt64(exactly: $0) }
        if !limits.cpusetCPUs.isEmpty { resources.cpu.cpus = limits.cpusetCPUs }
        if !limits.cpusetMemory.isEmpty { resources.cpu.mems = limits.cpusetMemory }
        resources.pidsLimit = limits.pids
        resources.blockIO.weight = limits.blockIOWeight.map(UInt32.init)
        return resources
    }
}
