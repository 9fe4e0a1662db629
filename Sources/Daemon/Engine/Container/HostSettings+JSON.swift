public import Failures
public import JSON
internal import Linux

extension HostSettings {
    /// Reads Docker's `HostConfig`, keys in any case, and fills in Docker's defaults for the echo.
    ///
    /// - Throws: `invalid` with Docker's words for what can never work.
    public init(json: JSON) throws(Failure) {
        guard json.objectValue != nil || json == .null else { throw Failure(.invalid, "HostConfig must be an object") }
        let fields = Fields(json)
        binds = try fields.strings("Binds")
        mounts = try Self.list(fields, "Mounts") { item throws(Failure) in try MountRequest(json: item) }
        tmpfs = try fields.dictionary("Tmpfs")
        volumesFrom = try fields.strings("VolumesFrom")
        readonlyRootfs = try fields.flag("ReadonlyRootfs")
        let shm = try fields.integer("ShmSize") ?? 0
        guard shm >= 0 else { throw Failure(.invalid, "SHM size can not be less than 0") }
        shmSize = shm == 0 ? Self.defaultShmSize : shm

        let mode = try fields.text("NetworkMode")
        networkMode = mode.isEmpty || mode == "default" ? "bridge" : mode
        portBindings = try Self.portBindings(fields)
        publishAllPorts = try fields.flag("PublishAllPorts")
        dns = try fields.strings("Dns")
        dnsOptions = try fields.strings("DnsOptions")
        dnsSearch = try fields.strings("DnsSearch")
        extraHosts = try fields.strings("ExtraHosts")
        links = try fields.strings("Links")

        restartPolicy = try RestartPolicy(json: fields.present("RestartPolicy") ?? .null)
        autoRemove = try fields.flag("AutoRemove")
        initProcess = try fields.flag("Init")
        consoleSize = try TerminalSize(fields, "ConsoleSize")
        let log = Fields(fields.present("LogConfig") ?? .null)
        let driver = try log.text("Type")
        logDriver = driver.isEmpty ? "json-file" : driver
        namesLogDriver = !driver.isEmpty
        logOptions = try log.dictionary("Config")
        runtime = try fields.text("Runtime")

        let ipc = try fields.text("IpcMode")
        ipcMode = ipc.isEmpty ? "private" : ipc
        pidMode = try fields.text("PidMode")
        utsMode = try fields.text("UTSMode")
        usernsMode = try fields.text("UsernsMode")
        let cgroupns = try fields.text("CgroupnsMode")
        cgroupnsMode = cgroupns.isEmpty ? "private" : cgroupns
        cgroupParent = try fields.text("CgroupParent")

        privileged = try fields.flag("Privileged")
        capAdd = try fields.words("CapAdd") ?? []
        capDrop = try fields.words("CapDrop") ?? []
        groupAdd = try fields.strings("GroupAdd")
        securityOptions = try fields.strings("SecurityOpt")
        sysctls = try fields.dictionary("Sysctls")
        devices = try Self.list(fields, "Devices") { item throws(Failure) in try DeviceMapping(json: item) }
        deviceCgroupRules = try fields.strings("DeviceCgroupRules")
        maskedPaths = fields.present("MaskedPaths") == nil ? nil : try fields.strings("MaskedPaths")
        readonlyPaths = fields.present("ReadonlyPaths") == nil ? nil : try fields.strings("ReadonlyPaths")

        memory = try fields.limit("Memory")
        memorySwap = try fields.integer("MemorySwap").flatMap { $0 == 0 ? nil : $0 }
        memoryReservation = try fields.limit("MemoryReservation")
        memorySwappiness = try fields.integer("MemorySwappiness").flatMap { $0 < 0 ? nil : $0 }
        nanoCPUs = try fields.limit("NanoCpus")
        cpuShares = try fields.limit("CpuShares")
        cpuPeriod = try fields.limit("CpuPeriod")
        cpuQuota = try fields.limit("CpuQuota")
        cpusetCPUs = try fields.text("CpusetCpus")
        cpusetMems = try fields.text("CpusetMems")
        pidsLimit = try fields.limit("PidsLimit")
        blkioWeight = try fields.limit("BlkioWeight")
        oomKillDisable = try fields.flag("OomKillDisable")
        oomScoreAdj = Int(clamping: try fields.integer("OomScoreAdj") ?? 0)
        ulimits = try Self.list(fields, "Ulimits") { item throws(Failure) in try Ulimit(json: item) }

        self.json = Self.echo(
            json, networkMode: networkMode, shmSize: shmSize, logDriver: logDriver, ipcMode: ipcMode,
            cgroupnsMode: cgroupnsMode)
        try validate()
    }

    /// Docker's 64 MiB.
    static let defaultShmSize: Int64 = 64 << 20

    private static func list<Item>(
        _ fields: Fields, _ name: String, _ item: (JSON) throws(Failure) -> Item
    ) throws(Failure) -> [Item] {
        var result: [Item] = []
        for json in try fields.array(name) { result.append(try item(json)) }
        return result
    }

    private static func portBindings(_ fields: Fields) throws(Failure) -> [String: [PortBinding]] {
        var result: [String: [PortBinding]] = [:]
        for (port, list) in try fields.object("PortBindings") ?? JSONObject() {
            var bindings: [PortBinding] = []
            for item in list.arrayValue ?? [] {
                let item = Fields(item)
                bindings.append(PortBinding(hostIP: try item.text("HostIp"), hostPort: try item.text("HostPort")))
            }
            result[port] = bindings
        }
        return result
    }

    /// Every key that Docker shows, in its order, with the request's values over the defaults.
    private static func echo(
        _ request: JSON, networkMode: String, shmSize: Int64, logDriver: String, ipcMode: String, cgroupnsMode: String
    ) -> JSONObject {
        var echo = defaults
        for (key, value) in request.objectValue ?? JSONObject() where value != .null {
            echo[canonicalKeys[key.lowercased()] ?? key] = value
        }
        echo["NetworkMode"] = .string(networkMode)
        echo["ShmSize"] = .integer(shmSize)
        echo["IpcMode"] = .string(ipcMode)
        echo["CgroupnsMode"] = .string(cgroupnsMode)
        var log = JSONObject()
        log["Type"] = .string(logDriver)
        log["Config"] = echo["LogConfig"].flatMap { Fields($0).present("Config") } ?? .object(JSONObject())
        echo["LogConfig"] = .object(log)
        if Fields(echo["RestartPolicy"] ?? .null).present("Name")?.stringValue ?? "" == "" {
            echo["RestartPolicy"] = .object(["Name": "no", "MaximumRetryCount": 0])
        }
        return echo
    }

    private static let canonicalKeys = Dictionary(
        defaults.map { ($0.key.lowercased(), $0.key) }, uniquingKeysWith: { first, _ in first })

    private static let defaults: JSONObject = [
        "Binds": .null, "ContainerIDFile": "", "LogConfig": .null, "NetworkMode": "bridge", "PortBindings": [:],
        "RestartPolicy": .null,
        "AutoRemove": false, "VolumeDriver": "", "VolumesFrom": .null, "ConsoleSize": [0, 0], "CapAdd": .null,
        "CapDrop": .null,
        "CgroupnsMode": "private", "Dns": [], "DnsOptions": [], "DnsSearch": [], "ExtraHosts": .null, "GroupAdd": .null,
        "IpcMode": "private",
        "Cgroup": "", "Links": .null, "OomScoreAdj": 0, "PidMode": "", "Privileged": false, "PublishAllPorts": false,
        "ReadonlyRootfs": false, "SecurityOpt": .null, "UTSMode": "", "UsernsMode": "", "ShmSize": 67_108_864,
        "Runtime": "",
        "Isolation": "", "CpuShares": 0, "Memory": 0, "NanoCpus": 0, "CgroupParent": "", "BlkioWeight": 0,
        "BlkioWeightDevice": [],
        "BlkioDeviceReadBps": [], "BlkioDeviceWriteBps": [], "BlkioDeviceReadIOps": [], "BlkioDeviceWriteIOps": [],
        "CpuPeriod": 0,
        "CpuQuota": 0, "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0, "CpusetCpus": "", "CpusetMems": "",
        "Devices": [],
        "DeviceCgroupRules": .null, "DeviceRequests": .null, "MemoryReservation": 0, "MemorySwap": 0,
        "MemorySwappiness": .null,
        "OomKillDisable": .null, "PidsLimit": .null, "Ulimits": [], "CpuCount": 0, "CpuPercent": 0, "IOMaximumIOps": 0,
        "IOMaximumBandwidth": 0, "MaskedPaths": .null, "ReadonlyPaths": .null,
    ]
}

extension Fields {
    /// A limit where nothing, 0 and less all mean that there is none.
    fileprivate func limit(_ name: String) throws(Failure) -> Int64? {
        guard let value = try integer(name), value > 0 else { return nil }
        return value
    }
}

extension RestartPolicy {
    init(json: JSON) throws(Failure) {
        let fields = Fields(json)
        let text = try fields.text("Name")
        guard let name = Name(rawValue: text.isEmpty ? "no" : text) else {
            throw Failure(
                .invalid,
                "invalid restart policy: unknown policy '\(text)'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
            )
        }
        let retries = Int(clamping: try fields.integer("MaximumRetryCount") ?? 0)
        if retries != 0, name != .onFailure {
            throw Failure(.invalid, "invalid restart policy: maximum retry count can only be used with 'on-failure'")
        }
        if retries < 0 { throw Failure(.invalid, "invalid restart policy: maximum retry count cannot be negative") }
        self.init(name, maximumRetries: retries)
    }
}

extension TerminalSize {
    /// `[rows, columns]`; nil when absent, or `[0, 0]`.
    fileprivate init?(_ fields: Fields, _ name: String) throws(Failure) {
        let numbers = try fields.array(name).compactMap(\.intValue)
        guard numbers.count == 2, let rows = UInt16(exactly: numbers[0]), let columns = UInt16(exactly: numbers[1]),
            rows > 0, columns > 0
        else { return nil }
        self.init(rows: rows, columns: columns)
    }
}

extension DeviceMapping {
    init(json: JSON) throws(Failure) {
        let fields = Fields(json)
        let host = try fields.text("PathOnHost")
        let inside = try fields.text("PathInContainer")
        let rights = try fields.text("CgroupPermissions")
        guard host.hasPrefix("/") else { throw Failure(.invalid, "device path \(host) must be absolute") }
        guard rights.allSatisfy({ "rwm".contains($0) }) else {
            throw Failure(.invalid, "invalid device mode: \(rights)")
        }
        self.init(
            pathOnHost: host, pathInContainer: inside.isEmpty ? host : inside,
            permissions: rights.isEmpty ? "rwm" : rights)
    }
}

extension Ulimit {
    init(json: JSON) throws(Failure) {
        let fields = Fields(json)
        let name = try fields.text("Name")
        guard Self.names.contains(name) else { throw Failure(.invalid, "invalid ulimit type: \(name)") }
        let soft = try fields.integer("Soft") ?? 0
        let hard = try fields.integer("Hard") ?? soft
        if hard != -1, soft > hard || soft == -1 {
            throw Failure(.invalid, "ulimit soft limit must be less than or equal to hard limit: \(soft) > \(hard)")
        }
        self.init(name: name, soft: soft, hard: hard)
    }

    static let names: Set<String> = [
        "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
        "rttime",
        "sigpending", "stack",
    ]
}

extension MountRequest {
    init(json: JSON) throws(Failure) {
        self.init()
        let fields = Fields(json)
        let type = try fields.text("Type")
        self.type = type.isEmpty ? "volume" : type
        source = try fields.text("Source")
        target = try fields.text("Target")
        readOnly = try fields.flag("ReadOnly")
        let bind = Fields(fields.present("BindOptions") ?? .null)
        propagation = try bind.text("Propagation")
        nonRecursive = try bind.flag("NonRecursive")
        createMountpoint = try bind.flag("CreateMountpoint")
        let volume = Fields(fields.present("VolumeOptions") ?? .null)
        noCopy = try volume.flag("NoCopy")
        labels = try volume.dictionary("Labels")
        subpath = try volume.text("Subpath")
        let driverConfig = Fields(volume.present("DriverConfig") ?? .null)
        driver = try driverConfig.text("Name")
        driverOptions = try driverConfig.dictionary("Options")
        let tmpfs = Fields(fields.present("TmpfsOptions") ?? .null)
        tmpfsSize = try tmpfs.integer("SizeBytes") ?? 0
        tmpfsMode = try tmpfs.integer("Mode").map { Int(clamping: $0) }
    }
}
