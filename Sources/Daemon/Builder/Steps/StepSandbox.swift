internal import DockerfileSyntax
internal import Execution
internal import Failures
internal import Networking

/// What a RUN step's process sees and may do: the same sandbox as a container's.
///
/// Pure.
struct StepSandbox: Sendable {
    let operation: RunOperation
    let limits: BuildLimits
    let cgroup: SandboxCgroup
    let hostname: String
    /// Files of the host for the three names, and what the mounts of the step are.
    let nameFiles: NameFilePaths
    let mounts: [SandboxMount]
    let usesHostNetwork: Bool

    struct NameFilePaths: Sendable, Hashable {
        var hosts: String
        var hostname: String
        var resolvConf: String
    }

    var settings: SandboxSettings {
        var settings = SandboxSettings(arguments: operation.arguments, cgroup: cgroup)
        settings.environment = ["HOSTNAME=\(hostname)"] + operation.hiddenEnvironment + operation.environment
        settings.workingDirectory = operation.workingDirectory
        settings.user = operation.user
        settings.hostname = hostname
        settings.mounts =
            [
                SandboxMount(.bind(source: nameFiles.resolvConf), target: "/etc/resolv.conf"),
                SandboxMount(.bind(source: nameFiles.hostname), target: "/etc/hostname"),
                SandboxMount(.bind(source: nameFiles.hosts), target: "/etc/hosts"),
            ] + mounts
        if let size = limits.sharedMemory, size > 0 { settings.sharedMemorySize = size }
        if usesHostNetwork { settings.namespaces.network = .host }
        settings.rlimits = limits.ulimits.map { limit in
            ResourceLimit(
                limit.name, soft: limit.soft < 0 ? .max : UInt64(limit.soft),
                hard: limit.hard < 0 ? .max : UInt64(limit.hard))
        }
        settings.limits.memory = Self.positive(limits.memory)
        // As much swap again as memory, unless it was said otherwise: Docker's default.
        let doubled = settings.limits.memory.map { $0.multipliedReportingOverflow(by: 2) }.map {
            $0.overflow ? -1 : $0.partialValue
        }
        settings.limits.memoryAndSwap = limits.memorySwap.flatMap { $0 == 0 ? nil : $0 } ?? doubled
        settings.limits.cpuShares = Self.positive(limits.cpuShares)
        settings.limits.cpuPeriod = Self.positive(limits.cpuPeriod)
        settings.limits.cpuQuota = Self.positive(limits.cpuQuota)
        settings.limits.cpusetCPUs = limits.cpuSet ?? ""
        settings.limits.cpusetMemory = limits.cpuSetMemory ?? ""
        return settings
    }

    /// The API has 0 for "no limit".
    private static func positive(_ number: Int64?) -> Int64? { number.flatMap { $0 > 0 ? $0 : nil } }
}

/// Which network a step is in, of what the build and the instruction say.
///
/// Pure.
enum StepNetwork: Hashable, Sendable {
    case host
    case none
    case network(String)

    init(build: String?, step: Instruction.Run.NetworkMode) throws(Failure) {
        switch step {
        case .none: self = .none
        case .host: self = .host
        case .default:
            switch build ?? "" {
            case "", "default", "bridge": self = .network("bridge")
            case "host": self = .host
            case "none": self = .none
            case let name where name.hasPrefix("container:"):
                throw Failure(
                    .notImplemented,
                    "a build cannot join the network of a container (\(name)): give it a network's name")
            case let name: self = .network(name)
            }
        }
    }

    func request(id: String, hostname: String, extraHosts: [String]) -> SandboxRequest {
        switch self {
        case .host: SandboxRequest(id: id, hostname: hostname, mode: .host, extraHosts: extraHosts)
        case .none: SandboxRequest(id: id, hostname: hostname, extraHosts: extraHosts)
        case .network(let name):
            SandboxRequest(
                id: id, hostname: hostname, endpoints: [EndpointRequest(network: name)], extraHosts: extraHosts)
        }
    }
}
