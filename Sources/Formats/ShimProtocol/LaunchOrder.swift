public import JSON
public import OCI

/// A container to be made, every decision taken.
///
/// The descriptors that come along, in this order: the network namespace if `joinsNetwork`, the compiled system call
/// filter (an array of `struct sock_filter`) if `isFiltered`, one stream socket for each of `streams`.
public struct LaunchOrder: Sendable, Hashable {
    public var id: String
    /// The shim's own directory (0700), where its socket goes.
    public var directory: String
    /// The runtime specification's document.
    public var spec: JSON
    public var rootfs: OverlayMount
    public var joinsNetwork: Bool
    public var isFiltered: Bool
    /// As the document's `cgroupsPath` has it: its path below each hierarchy, or `slice:prefix:name`.
    public var cgroup: String
    /// Whether systemd makes the cgroup, a scope: then the path is of the second form.
    public var usesSystemd: Bool
    public var log: LogOrder?
    public var streams: [StreamOrder]
    public var input: InputOrder
    /// A tiny init is process 1.
    public var usesInit: Bool
    /// Another OCI runtime's program to make the container with.
    public var runtime: RuntimeProgram?

    public init(
        id: String, directory: String, spec: JSON, rootfs: OverlayMount, joinsNetwork: Bool, isFiltered: Bool,
        cgroup: String, usesSystemd: Bool, log: LogOrder?, streams: [StreamOrder], input: InputOrder, usesInit: Bool,
        runtime: RuntimeProgram?
    ) {
        self.id = id
        self.directory = directory
        self.spec = spec
        self.rootfs = rootfs
        self.joinsNetwork = joinsNetwork
        self.isFiltered = isFiltered
        self.cgroup = cgroup
        self.usesSystemd = usesSystemd
        self.log = log
        self.streams = streams
        self.input = input
        self.usesInit = usesInit
        self.runtime = runtime
    }
}

/// A further process.
///
/// What is nil is the container's own; one descriptor comes along for each of `streams`.
public struct ExecOrder: Sendable, Hashable {
    public var id: String
    public var arguments: [String]
    public var environment: [String]?
    public var workingDirectory: String?
    public var user: String?
    /// `CAP_…` names.
    public var capabilities: [String]?
    /// Whether the container's system call filter holds for it too.
    public var isFiltered: Bool
    public var terminal: Bool
    public var rows: UInt16?
    public var columns: UInt16?
    public var streams: [StreamOrder]
    public var input: InputOrder

    public init(
        id: String, arguments: [String], environment: [String]?, workingDirectory: String?, user: String?,
        capabilities: [String]?, isFiltered: Bool, terminal: Bool, rows: UInt16?, columns: UInt16?,
        streams: [StreamOrder], input: InputOrder
    ) {
        self.id = id
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.user = user
        self.capabilities = capabilities
        self.isFiltered = isFiltered
        self.terminal = terminal
        self.rows = rows
        self.columns = columns
        self.streams = streams
        self.input = input
    }
}

/// One attached stream socket.
///
/// Output goes to it as it comes; while it does not read, the shim holds at most one read's worth (64 KiB) for it and
/// reads no more from the process, which then blocks on its full pipe: back-pressure, as Docker's. What was read is in
/// the log already. A stream that has not taken what was held after `patience` seconds is cut off and the process goes
/// on: no reader makes it stand still for longer, however many bytes it takes at a time. nil waits for ever.
public struct StreamOrder: Sendable, Hashable {
    public var input: Bool
    public var output: Bool
    public var errors: Bool
    public var framed: Bool
    public var patience: Int?

    public init(input: Bool, output: Bool, errors: Bool, framed: Bool, patience: Int?) {
        self.input = input
        self.output = output
        self.errors = errors
        self.framed = framed
        self.patience = patience
    }
}

/// What a process reads from.
public enum InputOrder: String, Sendable, Hashable {
    /// Nothing.
    case none
    /// A pipe that outlives every attachment.
    case open
    /// A pipe that the end of the first input closes.
    case once
}

/// The log file: what is written, and when a new file is begun.
///
/// What is rotated gets `.1`, `.2` … behind its name, and with `compresses` `.gz` behind that.
public struct LogOrder: Sendable, Hashable {
    /// How records are written, by Docker's name of the log driver.
    public enum Form: String, Sendable, Hashable {
        case jsonFile = "json-file"
        case local
    }

    public var path: String
    public var form: Form
    public var maximumSize: Int64?
    public var maximumFiles: Int
    /// Whether rotated files are packed with gzip.
    public var compresses: Bool
    /// How many bytes of output may wait for the file before more is dropped; nil writes before anything else happens.
    public var bufferSize: Int?
    public var attributes: [String: String]

    public init(
        path: String, form: Form = .jsonFile, maximumSize: Int64?, maximumFiles: Int, compresses: Bool = false,
        bufferSize: Int? = nil, attributes: [String: String]
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

/// Where a shim is found.
public enum ShimEndpoint {
    /// The socket's name in the shim's directory.
    public static let socketName = "shim.sock"
    /// Beside it: the cgroup's path, for whoever clears up after a shim that was killed.
    public static let cgroupName = "cgroup"
}
