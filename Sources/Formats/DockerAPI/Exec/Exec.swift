public import JSON

/// What to run inside a running container: `POST /containers/{id}/exec`.
public struct ExecCreateRequest: Codable, Sendable, Hashable, Defaultable {
    public var user: String?
    public var privileged: Bool?
    public var tty: Bool?
    /// Height and width.
    public var consoleSize: [Int]?
    public var attachStdin: Bool?
    public var attachStderr: Bool?
    public var attachStdout: Bool?
    public var detachKeys: String?
    public var env: [String]?
    public var workingDir: String?
    public var cmd: [String]?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case user = "User", privileged = "Privileged", tty = "Tty", consoleSize = "ConsoleSize"
        case attachStdin = "AttachStdin", attachStderr = "AttachStderr", attachStdout = "AttachStdout"
        case detachKeys = "DetachKeys", env = "Env", workingDir = "WorkingDir", cmd = "Cmd"
    }
}

/// What that answers.
public struct ExecCreateResponse: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var id: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case id = "Id"
    }
}

/// The body of `POST /exec/{id}/start`.
public struct ExecStartRequest: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var detach: Bool = false
    @Defaulted public var tty: Bool = false
    public var consoleSize: [Int]?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case detach = "Detach", tty = "Tty", consoleSize = "ConsoleSize"
    }
}

/// How an exec is: `GET /exec/{id}/json`.
public struct ExecInspect: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var id: String = ""
    @Defaulted public var running: Bool = false
    /// Null before it has ended.
    @Defaulted public var exitCode: JSON = .null
    @Defaulted public var processConfig: ExecProcessConfig = ExecProcessConfig()
    @Defaulted public var openStdin: Bool = false
    @Defaulted public var openStderr: Bool = false
    @Defaulted public var openStdout: Bool = false
    @Defaulted public var canRemove: Bool = false
    @Defaulted public var containerID: String = ""
    @Defaulted public var detachKeys: String = ""
    @Defaulted public var pid: Int = 0

    public init() {}

    enum CodingKeys: String, CodingKey {
        case id = "ID", running = "Running", exitCode = "ExitCode", processConfig = "ProcessConfig"
        case openStdin = "OpenStdin", openStderr = "OpenStderr", openStdout = "OpenStdout", canRemove = "CanRemove"
        case containerID = "ContainerID", detachKeys = "DetachKeys", pid = "Pid"
    }
}

/// The process of an exec.
public struct ExecProcessConfig: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var tty: Bool = false
    @Defaulted public var entrypoint: String = ""
    @Defaulted public var arguments: [String] = []
    @Defaulted public var privileged: Bool = false
    public var user: String?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case tty, entrypoint, arguments, privileged, user
    }
}
