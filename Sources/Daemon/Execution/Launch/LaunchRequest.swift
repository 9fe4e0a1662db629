public import Linux
public import OCI

/// Everything a container needs to run, decided: the launcher only carries it out.
public struct LaunchRequest: Sendable {
    /// Names the shim, its directory and its cgroup: letters, digits, `-`, `_` and `.`, at most 128.
    public var id: String
    /// The process and its surroundings.
    public var sandbox: SandboxSettings
    /// The layers, mounted inside the container's own mount namespace and gone with it.
    public var rootfs: OverlayMount
    /// The network namespace to join; without it `sandbox.namespaces.network` says whether a new one or the host's.
    public var networkNamespace: SharedDescriptor?
    /// Where output is recorded; nil records nothing.
    public var log: LogSettings?
    /// Who listens from the first byte on.
    public var attachments: [StreamAttachment]
    /// What the process's input is.
    public var input: InputMode
    /// Whether a tiny init is process 1 and reaps for the program (`--init`).
    public var usesInit: Bool
    /// Another OCI runtime to make the container with; nil is Skiff's own.
    public var runtime: RuntimeProgram?

    public init(
        id: String, sandbox: SandboxSettings, rootfs: OverlayMount, networkNamespace: SharedDescriptor? = nil,
        log: LogSettings? = nil, attachments: [StreamAttachment] = [], input: InputMode = .none, usesInit: Bool = false,
        runtime: RuntimeProgram? = nil
    ) {
        self.id = id
        self.sandbox = sandbox
        self.rootfs = rootfs
        self.networkNamespace = networkNamespace
        self.log = log
        self.attachments = attachments
        self.input = input
        self.usesInit = usesInit
        self.runtime = runtime
    }
}

/// What a process reads from.
public enum InputMode: Sendable, Hashable {
    /// `/dev/null`, or a terminal nobody writes to.
    case none
    /// A pipe that stays open when an attachment ends.
    case open
    /// A pipe that is closed when the first attachment with input ends (`StdinOnce`).
    case once
}

/// Where and how output is recorded.
public struct LogSettings: Sendable, Hashable {
    /// How records are written, by Docker's name of the log driver.
    public enum Form: String, Sendable, Hashable {
        case jsonFile = "json-file"
        case local
    }

    /// The file that is written now; rotated ones get `.1`, `.2` … behind it, and `.gz` behind that when packed.
    public var path: String
    public var form: Form
    /// The size at which a new file is begun, nil: never.
    public var maximumSize: Int64?
    /// How many files there are at most, the one being written included.
    public var maximumFiles: Int
    /// Whether rotated files are packed with gzip.
    public var compresses: Bool
    /// How many bytes may wait for the disk before output is dropped (`mode=non-blocking`); nil drops nothing.
    public var bufferSize: Int?
    /// What every record carries as `attrs`, sorted (`--log-opt labels=…`, `env=…`).
    public var attributes: [String: String]

    public init(
        path: String, form: Form = .jsonFile, maximumSize: Int64? = nil, maximumFiles: Int = 1,
        compresses: Bool = false, bufferSize: Int? = nil, attributes: [String: String] = [:]
    ) {
        self.path = path
        self.form = form
        self.maximumSize = maximumSize
        self.maximumFiles = maximumFiles
        self.compresses = compresses
        self.bufferSize = bufferSize
        self.attributes = attributes
    }
}

/// A further process in a running container.
public struct ExecRequest: Sendable {
    /// Unique among the container's execs that have not been forgotten.
    public var id: String
    public var arguments: [String]
    /// The whole environment; nil is the container's.
    public var environment: [String]?
    /// nil is the container's.
    public var workingDirectory: String?
    /// Docker's `user[:group]`; nil is the container's.
    public var user: String?
    /// With every capability and without the system call filter.
    public var privileged: Bool
    public var terminal: Bool
    public var consoleSize: WindowSize?
    public var input: InputMode
    public var attachments: [StreamAttachment]

    public init(
        id: String, arguments: [String], environment: [String]? = nil, workingDirectory: String? = nil,
        user: String? = nil, privileged: Bool = false, terminal: Bool = false, consoleSize: WindowSize? = nil,
        input: InputMode = .none, attachments: [StreamAttachment] = []
    ) {
        self.id = id
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.user = user
        self.privileged = privileged
        self.terminal = terminal
        self.consoleSize = consoleSize
        self.input = input
        self.attachments = attachments
    }
}
