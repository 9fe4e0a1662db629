public import Execution
public import OCI

/// How a daemon's engine shall be; decided once, at start.
public struct EngineConfiguration: Sendable {
    /// `/var/lib/skiff`: containers and volumes live below it.
    public var dataRoot: String
    /// Where containers have their cgroups.
    public var cgroups: CgroupPlacement
    /// Further OCI runtimes by name, with their programs (`--add-runtime`, `runtimes` of `daemon.json`); Skiff's own is always there.
    public var runtimes: [String: RuntimeProgram]
    /// The runtime of containers that name none.
    public var defaultRuntime: String
    /// The log driver of containers that name none, and its options: see ``LogOptions``.
    public var logDriver = "json-file"
    public var logOptions: [String: String] = [:]
    /// Limits of containers that set none of the same name (`default-ulimits`).
    public var ulimits: [Ulimit] = []
    /// The size of `/dev/shm` where none is given.
    public var sharedMemorySize = HostSettings.defaultShmSize

    /// How many seconds a process may stand still because a client that is attached to it reads nothing; then that client
    /// is cut off, and what it misses is in the log; nil waits for ever, as Docker does.
    public var streamPatience: Int?

    /// The name of Skiff's own runtime.
    public static let ownRuntime = "skiff"
    /// Names that mean Skiff's own runtime too: what clients written for Docker say.
    static let ownRuntimeNames: Set<String> = [ownRuntime, "runc", "io.containerd.runc.v2"]

    public init(
        dataRoot: String, cgroups: CgroupPlacement, runtimes: [String: RuntimeProgram] = [:],
        defaultRuntime: String = EngineConfiguration.ownRuntime
    ) {
        (self.dataRoot, self.cgroups) = (dataRoot, cgroups)
        (self.runtimes, self.defaultRuntime) = (runtimes, defaultRuntime)
    }

    /// Where a container's log, hosts, hostname and resolv.conf are.
    func directory(ofContainer id: String) -> String { dataRoot + "/containers/" + id }
    func logPath(ofContainer id: String) -> String { directory(ofContainer: id) + "/" + id + "-json.log" }
    /// Where Docker has the files of its `local` log driver.
    func localLogs(ofContainer id: String) -> String { directory(ofContainer: id) + "/local-logs" }
    /// The log's file, its folder and how records are written; nil for a driver that keeps none.
    func log(ofContainer id: String, driver: String) -> (path: String, directory: String, form: LogSettings.Form)? {
        switch LogSettings.Form(rawValue: driver) {
        case .jsonFile: (logPath(ofContainer: id), directory(ofContainer: id), .jsonFile)
        case .local: (localLogs(ofContainer: id) + "/container.log", localLogs(ofContainer: id), .local)
        case nil: nil
        }
    }
    func hostsPath(ofContainer id: String) -> String { directory(ofContainer: id) + "/hosts" }
    func hostnamePath(ofContainer id: String) -> String { directory(ofContainer: id) + "/hostname" }
    func resolvConfPath(ofContainer id: String) -> String { directory(ofContainer: id) + "/resolv.conf" }
    var volumes: String { dataRoot + "/volumes" }
    func directory(ofVolume name: String) -> String { volumes + "/" + name }
    func mountpoint(ofVolume name: String) -> String { directory(ofVolume: name) + "/_data" }
}
