internal import CLinux

/// What a checkpoint and a restore are asked for alike; the words are those of runc's flags.
public struct CRIUSettings: Sendable {
    /// Where the images are.
    public var imagePath: String
    /// Where CRIU keeps its log and its sockets; the images' directory where it is not said.
    public var workPath: String?
    public var takesConnections = false
    public var takesExternalSockets = false
    public var isShellJob = false
    public var takesFileLocks = false
    public var deduplicates = false
    public var usesLazyPages = false
    /// `soft`, `full`, `strict` or `ignore`: what becomes of cgroups and their limits; see criu(8).
    public var cgroupMode: String?
    /// Namespaces that are made empty; only `network` is known.
    public var emptyNamespaces: [String] = []

    public init(imagePath: String) { self.imagePath = imagePath }

    func mode() throws(RuntimeFailure) -> CRIUOptions.CgroupMode {
        switch cgroupMode {
        case nil, "", "soft": return .soft
        case "full": return .full
        case "strict": return .strict
        case "ignore": return .ignore
        case let other?:
            throw RuntimeFailure(
                .checkpoint, "--manage-cgroups-mode takes soft, full, strict or ignore, not \"\(other)\"")
        }
    }

    func emptyFlags() throws(RuntimeFailure) -> UInt32 {
        if let other = emptyNamespaces.first(where: { $0 != "network" }) {
            throw RuntimeFailure(.checkpoint, "--empty-ns takes network, not \"\(other)\"")
        }
        return emptyNamespaces.isEmpty ? 0 : UInt32(CLONE_NEWNET)
    }

    /// The part of a request that both have.
    func apply(to options: inout CRIUOptions) throws(RuntimeFailure) {
        options.takesConnections = takesConnections
        options.takesExternalSockets = takesExternalSockets
        options.isShellJob = isShellJob
        options.takesFileLocks = takesFileLocks
        options.deduplicates = deduplicates
        options.usesLazyPages = usesLazyPages
        options.cgroupMode = try mode()
        options.emptyNamespaces = try emptyFlags()
    }

    /// Whose settings CRIU reads besides ours, and lets prevail: the annotation's file, none where it is empty.
    static func configFile(_ annotations: [String: String]) -> String? {
        guard let own = annotations["org.criu.config"] else { return "/etc/criu/runc.conf" }
        return own.isEmpty ? nil : own
    }
}

/// What a checkpoint is asked for.
public struct CheckpointOptions: Sendable {
    public var settings: CRIUSettings
    /// An earlier pre-dump, relative to the images' directory: only what changed since is written.
    public var parentPath: String?
    public var leavesRunning = false
    /// Whether only memory is written, and everything goes on.
    public var isPreDump = false
    public var skipsConnectionsInFlight = false
    public var remapsLinks = false
    /// `ADDRESS:PORT` of the page server that memory is sent to.
    public var pageServer: String?

    public init(_ settings: CRIUSettings) { self.settings = settings }

    func server() throws(RuntimeFailure) -> CRIUOptions.PageServer? {
        guard let text = pageServer, !text.isEmpty else { return nil }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0,
            colon > text.startIndex
        else {
            throw RuntimeFailure(.checkpoint, "--page-server takes ADDRESS:PORT, not \"\(text)\"")
        }
        var address = text[..<colon]
        // An IPv6 address has brackets around it, which are not part of it.
        if address.hasPrefix("["), address.hasSuffix("]") { address = address.dropFirst().dropLast() }
        return CRIUOptions.PageServer(address: String(address), port: port)
    }
}

/// What a restore is asked for.
public struct RestoreOptions: Sendable {
    public var settings: CRIUSettings
    /// The AppArmor profile or SELinux label in place of the one that was dumped.
    public var lsmProfile: String?
    /// The SELinux context of mounts in place of the one that was dumped.
    public var lsmMountContext: String?

    public init(_ settings: CRIUSettings) { self.settings = settings }
}
