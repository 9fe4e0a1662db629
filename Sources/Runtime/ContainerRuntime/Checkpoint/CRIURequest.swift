/// What CRIU is asked over its socket, in the messages of its `images/rpc.proto`.
enum CRIURequest: Sendable, Equatable {
    case version
    /// Whether the kernel and CRIU can do these.
    case features(memoryTracking: Bool, lazyPages: Bool)
    case dump(CRIUOptions)
    case preDump(CRIUOptions)
    case restore(CRIUOptions)
    /// The answer to a notification: whether CRIU may go on.
    case notified(Bool)

    /// `criu_req_type`, by number.
    enum Kind: Int32, Sendable {
        case dump = 1, restore = 2, preDump = 4, notify = 6, featureCheck = 9, version = 10
    }

    var kind: Kind {
        switch self {
        case .version: .version
        case .features: .featureCheck
        case .dump: .dump
        case .preDump: .preDump
        case .restore: .restore
        case .notified: .notify
        }
    }

    /// The message: `criu_req`.
    var bytes: [UInt8] {
        var message = ProtobufMessage()
        message.add(1, kind.rawValue)
        switch self {
        case .version: break
        case .features(let memoryTracking, let lazyPages):
            var features = ProtobufMessage()
            features.add(1, ifSet: memoryTracking)
            features.add(2, ifSet: lazyPages)
            message.add(5, features)
        case .dump(let options), .preDump(let options), .restore(let options): message.add(2, options.message)
        case .notified(let success): message.add(3, success)
        }
        return message.bytes
    }
}

/// What is asked of a dump or a restore: `criu_opts`, as far as a container needs it.
struct CRIUOptions: Sendable, Equatable {
    /// What becomes of cgroups: `criu_cg_mode`.
    enum CgroupMode: Int32, Sendable, CaseIterable {
        case ignore = 0, soft = 3, full = 4, strict = 5
    }

    struct Pair: Sendable, Equatable {
        var key: String
        var value: String
        init(_ key: String, _ value: String) {
            self.key = key
            self.value = value
        }
    }

    struct InheritedDescriptor: Sendable, Equatable {
        var key: String
        /// The number in CRIU's process.
        var number: Int32
    }

    struct PageServer: Sendable, Equatable {
        var address: String
        var port: UInt16
    }

    /// Open directories of the process that asks.
    var imagesDirectory: Int32
    var workDirectory: Int32?
    var logFile: String
    var root: String
    /// The first process to dump; none for a restore.
    var pid: Int32?

    var leavesRunning = false
    var takesExternalSockets = false
    var takesConnections = false
    var skipsConnectionsInFlight = false
    var isShellJob = false
    var takesFileLocks = false
    var remapsLinks = false
    var deduplicates = false
    var usesLazyPages = false
    var tracksMemory = false
    var evadesDevices = false
    /// Whether the restored process becomes a child of the one that asks.
    var restoresSibling = false

    var pageServer: PageServer?
    /// Relative to the images' directory.
    var parentImages: String?
    var cgroupMode = CgroupMode.soft
    /// The cgroup to begin from, by controller; the unified hierarchy's name is empty.
    var cgroupRoots: [Pair] = []
    var freezer: String?
    var externalMounts: [Pair] = []
    var externals: [String] = []
    var inherited: [InheritedDescriptor] = []
    /// Namespaces to join, by type.
    var joined: [Pair] = []
    /// `CLONE_NEW…` of those that are not dumped.
    var emptyNamespaces: UInt32 = 0
    var configFile: String?
    var lsmProfile: String?
    var lsmMountContext: String?

    init(imagesDirectory: Int32, logFile: String, root: String) {
        self.imagesDirectory = imagesDirectory
        self.logFile = logFile
        self.root = root
    }

    /// What CRIU writes into its log: 4 is everything but its own debugging.
    private static let logLevel: Int32 = 4

    var message: ProtobufMessage {
        var message = ProtobufMessage()
        message.add(1, imagesDirectory)
        if let pid { message.add(2, pid) }
        message.add(3, ifSet: leavesRunning)
        message.add(4, ifSet: takesExternalSockets)
        message.add(5, ifSet: takesConnections)
        message.add(6, ifSet: evadesDevices)
        message.add(7, ifSet: isShellJob)
        message.add(8, ifSet: takesFileLocks)
        message.add(9, Self.logLevel)
        message.add(10, logFile)
        if let pageServer {
            var server = ProtobufMessage()
            server.add(1, pageServer.address)
            server.add(2, Int32(pageServer.port))
            message.add(11, server)
        }
        message.add(12, true)  // notify_scripts
        message.add(13, root)
        message.add(14, ifAny: parentImages)
        message.add(15, ifSet: tracksMemory)
        message.add(16, ifSet: deduplicates)
        if let workDirectory { message.add(17, workDirectory) }
        message.add(18, ifSet: remapsLinks)
        for mount in externalMounts { message.add(23, Self.pair(mount)) }
        message.add(24, true)  // manage_cgroups, for versions that do not know the mode
        for root in cgroupRoots { message.add(25, Self.pair(root)) }
        message.add(26, ifSet: restoresSibling)
        for descriptor in inherited {
            var inherit = ProtobufMessage()
            inherit.add(1, descriptor.key)
            inherit.add(2, descriptor.number)
            message.add(27, inherit)
        }
        message.add(34, cgroupMode.rawValue)
        for external in externals { message.add(37, external) }
        if emptyNamespaces != 0 { message.add(38, emptyNamespaces) }
        for namespace in joined { message.add(39, Self.pair(namespace)) }
        message.add(44, ifAny: freezer)
        message.add(46, ifSet: skipsConnectionsInFlight)
        message.add(48, ifSet: usesLazyPages)
        message.add(50, true)  // orphan_pts_master
        message.add(51, ifAny: configFile)
        message.add(53, ifAny: lsmProfile)
        message.add(63, ifAny: lsmMountContext)
        return message
    }

    private static func pair(_ pair: Pair) -> ProtobufMessage {
        var message = ProtobufMessage()
        message.add(1, pair.key)
        message.add(2, pair.value)
        return message
    }
}
