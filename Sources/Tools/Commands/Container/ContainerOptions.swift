internal import Failures
internal import Linux

/// The options that `run` and `create` share; what they mean is in ``ContainerRequest``.
enum ContainerOptions {
    // MARK: The process

    static let name = Option<String?>.text("name", "Assign a name to the container")
    static let interactive = Option<Bool>.flag("interactive", short: "i", "Keep STDIN open even if not attached")
    static let tty = Option<Bool>.flag("tty", short: "t", "Allocate a pseudo-TTY")
    static let attach = Option<[String]>.list("attach", short: "a", "Attach to STDIN, STDOUT or STDERR") {
        (text) throws(Failure) in
        guard ["stdin", "stdout", "stderr"].contains(text.lowercased()) else {
            throw Failure(.invalid, "valid streams are STDIN, STDOUT and STDERR")
        }
    }
    static let env = EnvironmentList.option
    static let envFile = Option<[String]>.list("env-file", "Read in a file of environment variables")
    static let workdir = Option<String?>.text("workdir", short: "w", "Working directory inside the container")
    static let user = Option<String?>.text(
        "user", short: "u", "Username or UID (format: <name|uid>[:<group|gid>])")
    static let entrypoint = Option<String?>.text("entrypoint", "Overwrite the default ENTRYPOINT of the image")
    static let hostname = Option<String?>.text("hostname", short: "h", "Container host name")
    static let domainname = Option<String?>.text("domainname", "Container NIS domain name")
    static let labels = Option<[String]>.list("label", short: "l", "Set meta data on a container") {
        (text) throws(Failure) in
        if keyValue(text).name.isEmpty { throw Failure(.invalid, "invalid label '\(text)': empty name") }
    }
    static let labelFiles = Option<[String]>.list("label-file", "Read in a line delimited file of labels")
    static let annotations = Option<[String]>.list(
        "annotation", "Add an annotation to the container (passed through to the OCI runtime)", placeholder: "map")
    static let stopSignal = Option<String?>.text("stop-signal", "Signal to stop the container")
    static let stopTimeout = Option<Int64?>.integer("stop-timeout", "Timeout (in seconds) to stop a container")
    static let restart = Option<String?>.text(
        "restart", "Restart policy to apply when a container exits", defaultText: "no")
    static let remove = Option<Bool>.flag(
        "rm", "Automatically remove the container and its associated anonymous volumes when it exits")
    static let initProcess = Option<Bool?>.optionalFlag(
        "init", "Run an init inside the container that forwards signals and reaps processes")
    static let groupAdd = Option<[String]>.list("group-add", "Add additional groups to join")

    // MARK: Files

    static let volumes = Option<[String]>.list("volume", short: "v", "Bind mount a volume")
    static let mounts = Option<[String]>.list(
        "mount", "Attach a filesystem mount to the container", placeholder: "mount"
    ) { (text) throws(Failure) in _ = try MountSpec.parse(text) }
    static let tmpfs = Option<[String]>.list("tmpfs", "Mount a tmpfs directory")
    static let volumesFrom = Option<[String]>.list("volumes-from", "Mount volumes from the specified container(s)")
    static let volumeDriver = Option<String?>.text("volume-driver", "Optional volume driver for the container")
    static let readOnly = Option<Bool>.flag("read-only", "Mount the container's root filesystem as read only")
    static let devices = Option<[String]>.list("device", "Add a host device to the container")
    static let deviceRules = Option<[String]>.list(
        "device-cgroup-rule", "Add a rule to the cgroup allowed devices list")
    static let storage = Option<[String]>.list("storage-opt", "Storage driver options for the container")
    static let shmSize = Option<Int64?>.bytes("shm-size", "Size of /dev/shm")

    // MARK: Network

    static let publish = Option<[String]>.list("publish", short: "p", "Publish a container's port(s) to the host")
    static let publishAll = Option<Bool>.flag(
        "publish-all", short: "P", "Publish all exposed ports to random ports")
    static let expose = Option<[String]>.list("expose", "Expose a port or a range of ports")
    static let network = Option<[String]>.list("network", "Connect a container to a network", placeholder: "network")
    static let net = Option<[String]>.list("net", "Connect a container to a network", placeholder: "network").hidden
    static let networkAlias = Option<[String]>.list("network-alias", "Add network-scoped alias for the container")
    static let ip = Option<String?>.text("ip", "IPv4 address (e.g., 172.30.100.104)")
    static let ip6 = Option<String?>.text("ip6", "IPv6 address (e.g., 2001:db8::33)")
    static let macAddress = Option<String?>.text(
        "mac-address", "Container MAC address (e.g., 92:d0:c6:0a:29:33)")
    static let links = Option<[String]>.list("link", "Add link to another container")
    static let addHost = Option<[String]>.list("add-host", "Add a custom host-to-IP mapping (host:ip)") {
        (text) throws(Failure) in _ = try ExtraHost(parsing: text)
    }
    static let dns = Option<[String]>.list("dns", "Set custom DNS servers") { (text) throws(Failure) in
        guard isInternetAddress(text) else {
            throw Failure(.invalid, "IP address is not correctly formatted: \(text)")
        }
    }
    static let dnsOption = Option<[String]>.list("dns-option", "Set DNS options")
    static let dnsSearch = Option<[String]>.list("dns-search", "Set custom DNS search domains")

    // MARK: Limits

    static let memory = Option<Int64?>.bytes("memory", short: "m", "Memory limit")
    static let memoryReservation = Option<Int64?>.bytes("memory-reservation", "Memory soft limit")
    static let memorySwap = Option<Int64?>.parsed(
        "memory-swap", "Swap limit equal to memory plus swap: '-1' to enable unlimited swap", placeholder: "bytes"
    ) { (text) throws(Failure) in text == "-1" ? -1 : try ByteSize.parse(text) }
    static let memorySwappiness = Option<Int64?>.integer(
        "memory-swappiness", "Tune container memory swappiness (0 to 100)", defaultText: "-1")
    static let oomKillDisable = Option<Bool>.flag("oom-kill-disable", "Disable OOM Killer")
    static let oomScore = Option<Int64?>.integer("oom-score-adj", "Tune host's OOM preferences (-1000 to 1000)")
    static let cpus = Option<Int64?>.parsed("cpus", "Number of CPUs", placeholder: "decimal") {
        (text) throws(Failure) in
        guard let value = Double(text), value >= 0, value < 1e6 else {
            throw Failure(.invalid, "failed to parse \(text) as a rational number")
        }
        return Int64((value * 1e9).rounded())
    }
    static let cpuShares = Option<Int64?>.integer("cpu-shares", short: "c", "CPU shares (relative weight)")
    static let cpuPeriod = Option<Int64?>.integer(
        "cpu-period", "Limit CPU CFS (Completely Fair Scheduler) period")
    static let cpuQuota = Option<Int64?>.integer("cpu-quota", "Limit CPU CFS (Completely Fair Scheduler) quota")
    static let cpusetCPUs = Option<String?>.text("cpuset-cpus", "CPUs in which to allow execution (0-3, 0,1)")
    static let cpusetMems = Option<String?>.text("cpuset-mems", "MEMs in which to allow execution (0-3, 0,1)")
    static let blkioWeight = Option<Int64?>.integer(
        "blkio-weight", "Block IO (relative weight), between 10 and 1000, or 0 to disable", placeholder: "uint16")
    static let pidsLimit = Option<Int64?>.integer("pids-limit", "Tune container pids limit (set -1 for unlimited)")
    static let ulimits = Option<[String]>.list("ulimit", "Ulimit options", placeholder: "ulimit") {
        (text) throws(Failure) in _ = try ContainerRequest.ulimit(text)
    }
    static let cgroupParent = Option<String?>.text("cgroup-parent", "Optional parent cgroup for the container")

    // MARK: Isolation

    static let capAdd = Option<[String]>.list("cap-add", "Add Linux capabilities")
    static let capDrop = Option<[String]>.list("cap-drop", "Drop Linux capabilities")
    static let privileged = Option<Bool>.flag("privileged", "Give extended privileges to this container")
    static let securityOpt = Option<[String]>.list("security-opt", "Security Options")
    static let sysctls = Option<[String]>.list("sysctl", "Sysctl options", placeholder: "map") {
        (text) throws(Failure) in
        guard NamespacedSysctl.contains(keyValue(text).name) else {
            throw Failure(.invalid, "sysctl '\(text)' is not allowed")
        }
    }
    static let ipc = Option<String?>.text("ipc", "IPC mode to use")
    static let pid = Option<String?>.text("pid", "PID namespace to use")
    static let uts = Option<String?>.text("uts", "UTS namespace to use")
    static let userns = Option<String?>.text("userns", "User namespace to use")
    static let cgroupns = Option<String?>.text("cgroupns", "Cgroup namespace to use (host|private)")
    static let runtime = Option<String?>.text("runtime", "Runtime to use for this container")

    // MARK: Logs and health

    static let logDriver = Option<String?>.text("log-driver", "Logging driver for the container")
    static let logOptions = Option<[String]>.list("log-opt", "Log driver options")
    static let healthCommand = Option<String?>.text("health-cmd", "Command to run to check health")
    static let healthInterval = Option<Int64?>.duration(
        "health-interval", "Time between running the check (ms|s|m|h)")
    static let healthTimeout = Option<Int64?>.duration(
        "health-timeout", "Maximum time to allow one check to run (ms|s|m|h)")
    static let healthStartPeriod = Option<Int64?>.duration(
        "health-start-period",
        "Start period for the container to initialize before starting health-retries countdown (ms|s|m|h)")
    static let healthStartInterval = Option<Int64?>.duration(
        "health-start-interval", "Time between running the check during the start period (ms|s|m|h)")
    static let healthRetries = Option<Int64?>.integer(
        "health-retries", "Consecutive failures needed to report unhealthy")
    static let noHealthcheck = Option<Bool>.flag("no-healthcheck", "Disable any container-specified HEALTHCHECK")

    // MARK: Making it

    static let cidFile = Option<String?>.text("cidfile", "Write the container ID to the file")
    static let pull = Option<String?>.text(
        "pull", "Pull image before running (\"always\", \"missing\", \"never\")", defaultText: "\"missing\"")
    static let platform = Option<String?>.text("platform", "Set platform if server is multi-platform capable")
    static let quiet = Option<Bool>.flag("quiet", short: "q", "Suppress the pull output")

    static let all: [any AnyOption] =
        [
            name, interactive, tty, attach, env, envFile, workdir, user, entrypoint, hostname, domainname, labels,
            labelFiles, annotations, stopSignal, stopTimeout, restart, remove, initProcess, groupAdd,
        ] as [any AnyOption]
        + [
            volumes, mounts, tmpfs, volumesFrom, volumeDriver, readOnly, devices, deviceRules, storage, shmSize,
            publish, publishAll, expose, network, net, networkAlias, ip, ip6, macAddress, links, addHost, dns,
            dnsOption, dnsSearch,
        ] as [any AnyOption]
        + [
            memory, memoryReservation, memorySwap, memorySwappiness, oomKillDisable, oomScore, cpus, cpuShares,
            cpuPeriod, cpuQuota, cpusetCPUs, cpusetMems, blkioWeight, pidsLimit, ulimits, cgroupParent,
        ] as [any AnyOption]
        + [
            capAdd, capDrop, privileged, securityOpt, sysctls, ipc, pid, uts, userns, cgroupns, runtime, logDriver,
            logOptions, healthCommand, healthInterval, healthTimeout, healthStartPeriod, healthStartInterval,
            healthRetries, noHealthcheck, cidFile, pull, platform, quiet,
        ] as [any AnyOption]
}
