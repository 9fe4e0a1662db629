internal import ArgumentParser
internal import OCI

/// dockerd's flags, as far as Skiff has what they switch.
struct DaemonOptions: ParsableArguments {
    @Option(name: [.customShort("H"), .customLong("host")], help: "Daemon socket to listen on: unix://, tcp://, fd://")
    var hosts: [String] = []

    @Option(name: .customLong("data-root"), help: "Root directory of persistent state")
    var dataRoot: String?

    @Option(name: .customLong("exec-root"), help: "Root directory for execution state files")
    var execRoot: String?

    @Option(name: [.customShort("p"), .customLong("pidfile")], help: "Path to use for daemon PID file")
    var pidfile: String?

    @Option(name: .customLong("config-file"), help: "Daemon configuration file")
    var configFile: String?

    @Option(
        name: [.customShort("D"), .customLong("debug")],
        help: ArgumentHelp("Enable debug mode", valueName: "true|false"))
    var debug: Switch?

    @Option(
        name: [.customShort("l"), .customLong("log-level")],
        help: "Set the logging level (debug, info, warn, error, fatal)")
    var logLevel: String?

    @Option(name: .customLong("bip"), help: "IPv4 address for the default bridge")
    var bridgeAddress: String?

    @Option(name: .customLong("mtu"), help: "Set the MTU for the default bridge network")
    var mtu: Int?

    @Option(name: .customLong("dns"), help: "DNS server to use")
    var dns: [String] = []

    @Option(name: .customLong("dns-search"), help: "DNS search domains to use")
    var dnsSearch: [String] = []

    @Option(name: .customLong("dns-opt"), help: "DNS options to use")
    var dnsOptions: [String] = []

    @Option(name: .customLong("default-address-pool"), help: "Default address pool for networks: base=ADDRESS,size=N")
    var addressPools: [String] = []

    @Option(name: .customLong("default-runtime"), help: "Default OCI runtime for containers")
    var defaultRuntime: String?

    @Option(name: .customLong("add-runtime"), help: "Register an additional OCI compatible runtime: NAME=PATH")
    var runtimes: [String] = []

    @Option(name: .customLong("insecure-registry"), help: "Registry to speak to without verified TLS")
    var insecureRegistries: [String] = []

    @Option(name: .customLong("registry-mirror"), help: "Preferred registry mirror")
    var registryMirrors: [String] = []

    @Option(name: [.customShort("G"), .customLong("group")], help: "Group for the unix socket")
    var group: String?

    @Option(name: .customLong("label"), help: "Set key=value labels to the daemon")
    var labels: [String] = []

    @Option(name: .customLong("cgroup-parent"), help: "Parent cgroup for all containers")
    var cgroupParent: String?

    @Option(
        name: .customLong("exec-opt"),
        help: "Runtime execution options: native.cgroupdriver=cgroupfs or native.cgroupdriver=systemd")
    var execOptions: [String] = []

    @Option(name: .customLong("log-driver"), help: "Default driver for container logs (json-file, local, none)")
    var logDriver: String?

    @Option(name: .customLong("log-opt"), help: "Default log driver options: NAME=VALUE")
    var logOptions: [String] = []

    @Option(name: .customLong("default-shm-size"), help: "Default shm size for containers, in bytes or with k, m, g")
    var shmSize: String?

    @Option(
        name: .customLong("attach-patience"),
        help: "Seconds a container may wait for an attached client that reads nothing (default 600; 0: for ever)")
    var attachPatience: Int?

    @Option(name: .customLong("max-concurrent-downloads"), help: "Layers fetched at a time")
    var maxDownloads: Int?

    @Option(name: .customLong("max-download-attempts"), help: "How often a layer's download is tried")
    var maxAttempts: Int?

    @Option(name: .customLong("max-concurrent-uploads"), help: "Layers pushed at a time")
    var maxUploads: Int?

    @Option(
        name: .customLong("validate"),
        help: ArgumentHelp("Validate daemon configuration and exit", valueName: "true|false"))
    var validation: Switch?

    @Option(name: .customLong("shim"), help: ArgumentHelp("The shim program", visibility: .hidden))
    var shim: String?

    /// What was given, by the name of its key in `daemon.json`: what the file may not say again.
    var given: [String: ConfigurationValue] {
        var given: [String: ConfigurationValue] = [:]
        func one(_ key: String, _ value: String?) { if let value { given[key] = .text(value) } }
        func many(_ key: String, _ values: [String]) { if !values.isEmpty { given[key] = .list(values) } }
        many("hosts", hosts)
        one("data-root", dataRoot)
        one("exec-root", execRoot)
        one("pidfile", pidfile)
        if let debug { given["debug"] = .flag(debug == .on) }
        one("log-level", logLevel)
        one("bip", bridgeAddress)
        one("mtu", mtu.map(String.init))
        many("dns", dns)
        many("dns-search", dnsSearch)
        many("dns-opts", dnsOptions)
        many("default-address-pools", addressPools)
        one("default-runtime", defaultRuntime)
        many("runtimes", runtimes)
        many("insecure-registries", insecureRegistries)
        many("registry-mirrors", registryMirrors)
        one("group", group)
        many("labels", labels)
        one("cgroup-parent", cgroupParent)
        many("exec-opts", execOptions)
        one("log-driver", logDriver)
        many("log-opts", logOptions)
        one("default-shm-size", shmSize)
        one("attach-patience", attachPatience.map(String.init))
        one("max-concurrent-downloads", maxDownloads.map(String.init))
        one("max-download-attempts", maxAttempts.map(String.init))
        one("max-concurrent-uploads", maxUploads.map(String.init))
        return given
    }
}

/// A setting as somebody wrote it.
enum ConfigurationValue: Hashable, CustomStringConvertible {
    case text(String)
    case flag(Bool)
    case list([String])
    case runtimes([String: RuntimeProgram])

    var description: String {
        switch self {
        case .text(let text): text
        case .flag(let on): "\(on)"
        case .list(let items): "[\(items.joined(separator: " "))]"
        case .runtimes(let runtimes):
            "[\(runtimes.map { ([$0 + "=" + $1.path] + $1.arguments).joined(separator: " ") }.sorted().joined(separator: " "))]"
        }
    }
}
