public import Failures
public import JSON

/// What a container's process is to be: Docker's `Config`, the part that a commit would carry into an image.
public struct ContainerConfig: Sendable, Hashable {
    public var hostname = ""
    public var domainname = ""
    public var user = ""
    public var attachStdin = false
    public var attachStdout = false
    public var attachStderr = false
    /// `80/tcp` and the like, sorted.
    public var exposedPorts: [String] = []
    public var tty = false
    public var openStdin = false
    public var stdinOnce = false
    public var env: [String] = []
    /// nil: the image's; empty: none.
    public var command: [String]?
    /// nil: the image's; empty or `[""]`: none, which resets the image's.
    public var entrypoint: [String]?
    public var healthcheck: HealthCheck?
    /// The image as the caller named it.
    public var image = ""
    /// Where anonymous volumes go, sorted.
    public var volumes: [String] = []
    public var workingDirectory = ""
    public var networkDisabled = false
    public var macAddress: String?
    public var labels: [String: String] = [:]
    public var stopSignal: String?
    /// Seconds that `stop` waits by default.
    public var stopTimeout: Int?
    public var shell: [String]?

    public init() {}
}

extension ContainerConfig {
    /// Reads Docker's `Config` (or the top level of a create request, which has the same keys in any case).
    public init(json: JSON) throws(Failure) {
        let fields = Fields(json)
        hostname = try fields.text("Hostname")
        domainname = try fields.text("Domainname")
        user = try fields.text("User")
        attachStdin = try fields.flag("AttachStdin")
        attachStdout = try fields.flag("AttachStdout")
        attachStderr = try fields.flag("AttachStderr")
        exposedPorts = try fields.keys("ExposedPorts")
        tty = try fields.flag("Tty")
        openStdin = try fields.flag("OpenStdin")
        stdinOnce = try fields.flag("StdinOnce")
        env = try fields.strings("Env")
        command = try fields.words("Cmd")
        entrypoint = try fields.words("Entrypoint")
        if let check = fields.present("Healthcheck") { healthcheck = try HealthCheck(json: check) }
        image = try fields.text("Image")
        volumes = try fields.keys("Volumes")
        workingDirectory = try fields.text("WorkingDir")
        networkDisabled = try fields.flag("NetworkDisabled")
        let mac = try fields.text("MacAddress")
        macAddress = mac.isEmpty ? nil : mac
        labels = try fields.dictionary("Labels")
        let signal = try fields.text("StopSignal")
        stopSignal = signal.isEmpty ? nil : signal
        stopTimeout = try fields.integer("StopTimeout").map { Int($0) }
        shell = try fields.words("Shell")
    }

    /// Docker's `Config` again, as inspect shows it and as the record keeps it.
    public var json: JSON {
        var object = JSONObject()
        object["Hostname"] = .string(hostname)
        object["Domainname"] = .string(domainname)
        object["User"] = .string(user)
        object["AttachStdin"] = .bool(attachStdin)
        object["AttachStdout"] = .bool(attachStdout)
        object["AttachStderr"] = .bool(attachStderr)
        if !exposedPorts.isEmpty { object["ExposedPorts"] = .keys(exposedPorts) }
        object["Tty"] = .bool(tty)
        object["OpenStdin"] = .bool(openStdin)
        object["StdinOnce"] = .bool(stdinOnce)
        object["Env"] = .strings(env)
        object["Cmd"] = command.map { .strings($0) } ?? .null
        if let healthcheck { object["Healthcheck"] = healthcheck.json }
        object["Image"] = .string(image)
        object["Volumes"] = volumes.isEmpty ? .null : .keys(volumes)
        object["WorkingDir"] = .string(workingDirectory)
        object["Entrypoint"] = entrypoint.map { .strings($0) } ?? .null
        if networkDisabled { object["NetworkDisabled"] = .bool(true) }
        if let macAddress { object["MacAddress"] = .string(macAddress) }
        object["Labels"] = .dictionary(labels)
        if let stopSignal { object["StopSignal"] = .string(stopSignal) }
        if let stopTimeout { object["StopTimeout"] = .integer(Int64(stopTimeout)) }
        if let shell { object["Shell"] = .strings(shell) }
        return .object(object)
    }
}

/// How to ask a container whether it is well: Docker's `Healthcheck`; durations in nanoseconds, 0 is the default.
public struct HealthCheck: Sendable, Hashable {
    /// `["NONE"]`, `["CMD", argument…]`, `["CMD-SHELL", line]`; empty inherits the image's.
    public var test: [String] = []
    public var interval: Int64 = 0
    public var timeout: Int64 = 0
    public var startPeriod: Int64 = 0
    public var startInterval: Int64 = 0
    public var retries = 0

    public init() {}

    public init(json: JSON) throws(Failure) {
        let fields = Fields(json)
        test = try fields.strings("Test")
        interval = try fields.integer("Interval") ?? 0
        timeout = try fields.integer("Timeout") ?? 0
        startPeriod = try fields.integer("StartPeriod") ?? 0
        startInterval = try fields.integer("StartInterval") ?? 0
        retries = Int(try fields.integer("Retries") ?? 0)
        for (name, value) in [
            ("Interval", interval), ("Timeout", timeout), ("StartPeriod", startPeriod),
            ("StartInterval", startInterval),
        ]
        where value != 0 && value < 1_000_000 {
            throw Failure(.invalid, "\(name) in Healthcheck cannot be less than 1ms")
        }
        if retries < 0 { throw Failure(.invalid, "Retries in Healthcheck cannot be negative") }
    }

    public var json: JSON {
        var object = JSONObject()
        object["Test"] = .strings(test)
        if interval != 0 { object["Interval"] = .integer(interval) }
        if timeout != 0 { object["Timeout"] = .integer(timeout) }
        if startPeriod != 0 { object["StartPeriod"] = .integer(startPeriod) }
        if startInterval != 0 { object["StartInterval"] = .integer(startInterval) }
        if retries != 0 { object["Retries"] = .integer(Int64(retries)) }
        return .object(object)
    }
}
