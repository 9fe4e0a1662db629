internal import DockerAPI
internal import Engine
internal import JSON
internal import OCI

/// The part of `/info` that stays the same while a daemon runs.
enum InfoShape {
    static func info(_ facts: DaemonFacts) -> SystemInfo {
        var answer = SystemInfo()
        answer.id = facts.id
        answer.driver = "overlayfs"
        answer.driverStatus = [["Backing Filesystem", "overlay"], ["Snapshots", "one per layer"]]
        answer.plugins.volume = ["local"]
        answer.plugins.network = ["bridge", "host", "null"]
        answer.plugins.log = LogOptions.drivers
        answer.memoryLimit = true
        answer.swapLimit = facts.swapLimit
        answer.cpuCfsPeriod = true
        answer.cpuCfsQuota = true
        answer.cpuShares = true
        answer.cpuSet = true
        answer.pidsLimit = true
        answer.ipv4Forwarding = facts.ipv4Forwarding
        answer.debug = facts.isDebug
        answer.loggingDriver = facts.logDriver
        answer.cgroupDriver = facts.cgroupDriver
        answer.cgroupVersion = String(facts.cgroupVersion)
        answer.kernelVersion = facts.kernelVersion
        answer.operatingSystem = facts.operatingSystem
        answer.osVersion = facts.osVersion
        answer.osType = "linux"
        answer.architecture = facts.machine
        answer.indexServerAddress = "https://index.docker.io/v1/"
        answer.registryConfig = registries(facts)
        answer.cpus = facts.processors
        answer.memTotal = facts.memory
        answer.dockerRootDir = facts.dataRoot
        answer.httpProxy = facts.httpProxy
        answer.httpsProxy = facts.httpsProxy
        answer.noProxy = facts.noProxy
        answer.name = facts.name
        answer.labels = facts.labels
        answer.serverVersion = facts.version
        answer.runtimes = facts.runtimes.mapValues { program in
            var runtime = RuntimeInfo()
            runtime.path = program.path
            runtime.runtimeArgs = program.arguments.isEmpty ? nil : program.arguments
            return runtime
        }
        answer.defaultRuntime = facts.defaultRuntime
        // Containers live in their shims: they survive the daemon, always.
        answer.liveRestoreEnabled = true
        answer.initBinary = "skiff-shim"
        answer.containerdCommit.id = facts.gitCommit
        answer.runcCommit.id = facts.gitCommit
        answer.initCommit.id = facts.gitCommit
        answer.securityOptions = (facts.hasSeccomp ? ["name=seccomp,profile=builtin"] : []) + ["name=cgroupns"]
        var firewall = FirewallInfo()
        firewall.driver = "nftables"
        answer.firewallBackend = firewall
        answer.warnings = facts.warnings.isEmpty ? .null : JSON(facts.warnings)
        return answer
    }

    private static func registries(_ facts: DaemonFacts) -> RegistryServiceConfig {
        var config = RegistryServiceConfig()
        config.insecureRegistryCIDRs =
            ["::1/128", "127.0.0.0/8"] + facts.insecureRegistries.filter { $0.contains("/") }
        config.mirrors = facts.registryMirrors
        config.indexConfigs["docker.io"] = index(
            "docker.io", secure: true, official: true, mirrors: facts.registryMirrors)
        for name in facts.insecureRegistries where !name.contains("/") {
            config.indexConfigs[name] = index(name, secure: false, official: false, mirrors: [])
        }
        return config
    }

    private static func index(_ name: String, secure: Bool, official: Bool, mirrors: [String]) -> IndexInfo {
        var info = IndexInfo()
        info.name = name
        info.secure = secure
        info.official = official
        info.mirrors = mirrors
        return info
    }
}
