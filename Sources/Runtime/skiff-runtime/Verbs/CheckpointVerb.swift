internal import CLinux
internal import ContainerRuntime
internal import Linux

/// `checkpoint ID`: writes a running container into files, and ends it unless it shall go on.
struct CheckpointVerb: Verb {
    static let name = "checkpoint"
    static let summary = "write a running container into files, with CRIU"
    static let flags = Flags(
        CheckpointFlags.shared,
        """
        --parent-path DIR           an earlier pre-dump, relative to the images: only changes are written
        --leave-running             let the container go on
        --pre-dump                  write memory only, and let the container go on
        --tcp-skip-in-flight        leave out TCP connections that are being made
        --link-remap                link deleted files that are open, so that they can be found again
        --status-fd FD              written to when a lazy dump's pages can be asked for
        --page-server ADDRESS:PORT  the page server that memory is sent to
        """)

    private let id: String
    private let options: CheckpointOptions
    private let status: Int32?

    init(_ arguments: Arguments) throws {
        id = try arguments.only("container id")
        var options = CheckpointOptions(try CheckpointFlags.settings(arguments))
        options.parentPath = arguments.last("parent-path").flatMap { $0.isEmpty ? nil : $0 }
        options.leavesRunning = arguments.has("leave-running")
        options.isPreDump = arguments.has("pre-dump")
        options.skipsConnectionsInFlight = arguments.has("tcp-skip-in-flight")
        options.remapsLinks = arguments.has("link-remap")
        options.pageServer = arguments.last("page-server")
        self.options = options
        status = try arguments.number("status-fd", in: 0...Int32.max)
        if let status {
            // Asked for now: it is written to when the container stands still.
            let flags = skiff_fcntl(status, F_GETFL, 0)
            guard flags >= 0, flags & O_ACCMODE != O_RDONLY else {
                throw Arguments.Misuse(description: "flag --status-fd: descriptor \(status) is not open for writing")
            }
        }
    }

    func run(_ context: RuntimeContext) throws {
        let state = try context.states.read(id)
        let now = StateVerb.currentStatus(state, context)
        guard now == .running || now == .paused else {
            throw RuntimeFailure(.checkpoint, "cannot checkpoint container \(id): it is \(now.rawValue)")
        }
        guard !exists(context.states.notifications(id)) else {
            throw RuntimeFailure(
                .checkpoint,
                "cannot checkpoint container \(id): it was made with NOTIFY_SOCKET, whose mount CRIU is not told of")
        }
        let spec = try context.states.spec(of: id)
        let program = try CRIUProgram(context.criu, searchPath: environmentValue("PATH"))
        try ContainerCheckpoint(state, spec: spec, options: options).take(
            with: program, in: group(of: state), status: status)
        context.log.debug("container \(id) dumped")
        if options.leavesRunning || options.isPreDump { return }
        try DeleteVerb.remove(state, context)
    }
}

/// What `checkpoint` and `restore` have in common.
enum CheckpointFlags {
    static let shared = Flags(
        """
        --image-path DIR            where the images are (checkpoint, in the working directory)
        --work-path DIR             where CRIU's log and sockets go (the images' directory)
        --tcp-established           take TCP connections along
        --ext-unix-sk               take local sockets along whose other end is outside
        --shell-job                 take a terminal of the caller's along
        --lazy-pages                leave memory where it is until it is asked for
        --file-locks                take file locks along
        --manage-cgroups-mode MODE  soft, full, strict or ignore (soft)
        --empty-ns NAMESPACE        network: a namespace that is made empty; may be repeated
        --auto-dedup                remove from earlier images what later ones hold
        """)

    static func settings(_ arguments: Arguments) throws -> CRIUSettings {
        let images = arguments.last("image-path").flatMap { $0.isEmpty ? nil : $0 } ?? "checkpoint"
        var settings = CRIUSettings(imagePath: try absolutePath(images))
        settings.workPath = try arguments.last("work-path").flatMap { $0.isEmpty ? nil : try absolutePath($0) }
        settings.takesConnections = arguments.has("tcp-established")
        settings.takesExternalSockets = arguments.has("ext-unix-sk")
        settings.isShellJob = arguments.has("shell-job")
        settings.usesLazyPages = arguments.has("lazy-pages")
        settings.takesFileLocks = arguments.has("file-locks")
        settings.cgroupMode = arguments.last("manage-cgroups-mode")
        settings.emptyNamespaces = arguments.all("empty-ns")
        settings.deduplicates = arguments.has("auto-dedup")
        return settings
    }
}
