internal import APIServer
internal import Execution
internal import Linux
internal import OCI

/// What the machine is, read once at start for `/info` and `/version`.
enum HostFacts {
    static func read(_ settings: DaemonSettings, id: String, environment: [String: String]) -> DaemonFacts {
        var facts = DaemonFacts()
        facts.version = SkiffVersion.number
        facts.gitCommit = SkiffVersion.commit
        facts.buildTime = SkiffVersion.builtAt
        facts.id = id
        facts.dataRoot = settings.dataRoot
        facts.name = firstLine("/proc/sys/kernel/hostname") ?? "localhost"
        if let names = try? systemNames() { (facts.machine, facts.kernelVersion) = (names.machine, names.release) }
        let release = fields("/etc/os-release", separator: "=")
        facts.operatingSystem = release["PRETTY_NAME"] ?? "Linux"
        facts.osVersion = release["VERSION_ID"] ?? ""
        let memory = fields("/proc/meminfo", separator: ":")
        facts.memory = kibibytes(memory["MemTotal"]) * 1024
        facts.processors = processors()
        facts.cgroupVersion = exists("/sys/fs/cgroup/cgroup.controllers") ? 2 : 1
        facts.cgroupDriver = settings.cgroups.driver.rawValue
        facts.swapLimit =
            facts.cgroupVersion == 2 || exists("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes")
        facts.ipv4Forwarding = firstLine("/proc/sys/net/ipv4/ip_forward") == "1"
        facts.hasSeccomp = exists("/proc/sys/kernel/seccomp/actions_avail")
        facts.labels = settings.labels
        facts.isDebug = settings.isDebug
        facts.defaultRuntime = settings.defaultRuntime
        facts.logDriver = settings.logDriver
        facts.runtimes = settings.runtimes.merging(["skiff": RuntimeProgram(path: "skiff-runtime")]) { given, _ in given
        }
        facts.insecureRegistries = settings.insecureRegistries
        facts.registryMirrors = settings.registryMirrors
        facts.httpProxy = environment["HTTP_PROXY"] ?? environment["http_proxy"] ?? ""
        facts.httpsProxy = environment["HTTPS_PROXY"] ?? environment["https_proxy"] ?? ""
        facts.noProxy = environment["NO_PROXY"] ?? environment["no_proxy"] ?? ""
        if !facts.swapLimit { facts.warnings.append("WARNING: No swap limit support") }
        return facts
    }

    private static func firstLine(_ path: String) -> String? {
        guard let text = try? readText(path, limit: 4096) else { return nil }
        return text.split(separator: "\n").first.map(String.init)
    }

    /// Lines of a name, a separator and a value, quotes taken off.
    private static func fields(_ path: String, separator: Character) -> [String: String] {
        guard let text = try? readText(path, limit: 65536) else { return [:] }
        var fields: [String: String] = [:]
        for line in text.split(separator: "\n") {
            guard let index = line.firstIndex(of: separator) else { continue }
            let value = line[line.index(after: index)...].drop { $0 == " " }
            fields[String(line[..<index])] = value.filter { $0 != "\"" }
        }
        return fields
    }

    private static func kibibytes(_ text: String?) -> Int64 {
        Int64((text ?? "").prefix { $0.isNumber }) ?? 0
    }

    /// Processors that are on: `0-3,5`.
    private static func processors() -> Int {
        let ranges = (firstLine("/sys/devices/system/cpu/online") ?? "0").split(separator: ",")
        return ranges.reduce(0) { sum, range in
            let ends = range.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, last >= first else { return sum }
            return sum + last - first + 1
        }
    }
}

/// What this build of Skiff calls itself.
enum SkiffVersion {
    static let number = "0.1.0"
    static let commit = "unknown"
    static let builtAt = ""
}
