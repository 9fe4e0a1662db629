internal import Builder
internal import Engine
internal import Execution
internal import Failures
internal import Linux
internal import Logging
internal import Networking
internal import OCI

/// How this daemon shall be: flags and file put together and checked, before anything is touched.
struct DaemonSettings {
    var hosts: [ListenAddress] = []
    var dataRoot = "/var/lib/skiff"
    var execRoot = "/run/skiff"
    var pidfile: String?
    var isDebug = false
    var logLevel = Logger.Level.info
    var bridgeAddress: IPv4Prefix?
    var mtu: Int?
    var dns = DNSSettings()
    var addressPools: [SubnetPool] = SubnetPool.standard
    var defaultRuntime = "skiff"
    var runtimes: [String: RuntimeProgram] = [:]
    var insecureRegistries: [String] = []
    var registryMirrors: [String] = []
    /// Who may use the socket; nil is `skiff`, or else `docker`, or else root alone.
    var group: String?
    var labels: [String] = []
    var cgroups: CgroupPlacement
    var logDriver = "json-file"
    var logOptions: [String: String] = [:]
    var shmSize: Int64?
    /// Seconds; nil for ever.
    var attachPatience: Int? = 600
    var maxDownloads = 3
    var maxUploads = 5
    var maxAttempts = 5
    /// Whether the build cache has a limit, and which; nil is the standard one.
    var limitsBuildCache = true
    var buildCacheLimits: CacheLimits?

    static let standardDataRoot = "/var/lib/skiff"

    /// What tells this daemon's links and tables from another's; empty for the default one.
    var instance: String { Self.instance(dataRoot) }
    private static func instance(_ dataRoot: String) -> String { dataRoot == standardDataRoot ? "" : dataRoot }

    /// - Parameter values: by key of `daemon.json`, from flags and file.
    init(_ values: [String: ConfigurationValue]) throws(Failure) {
        let reader = SettingsReader(values: values)
        dataRoot = try reader.path("data-root") ?? dataRoot
        execRoot = try reader.path("exec-root") ?? execRoot
        pidfile = try reader.path("pidfile")
        isDebug = reader.flag("debug")
        if let level = reader.text("log-level") { logLevel = try Self.level(level) }
        if isDebug { logLevel = .debug }
        if let text = reader.text("bip"), !text.isEmpty { bridgeAddress = try reader.prefix(text, "bip") }
        mtu = try reader.integer("mtu", 68...65535)
        dns = DNSSettings(
            servers: reader.list("dns"), search: reader.list("dns-search"), options: reader.list("dns-opts"))
        let pools = try reader.list("default-address-pools").map { (text) throws(Failure) in try reader.pool(text) }
        if !pools.isEmpty { addressPools = pools }
        runtimes = try reader.runtimes()
        for (name, program) in runtimes where !program.path.hasPrefix("/") {
            throw Failure(.invalid, "the runtime \(name) needs an absolute path, not \"\(program.path)\"")
        }
        defaultRuntime = reader.text("default-runtime") ?? defaultRuntime
        insecureRegistries = reader.list("insecure-registries")
        registryMirrors = reader.list("registry-mirrors")
        group = reader.text("group").flatMap { $0.isEmpty ? nil : $0 }
        labels = reader.list("labels")
        for label in labels where !label.contains("=") {
            throw Failure(.invalid, "bad attribute format: \(label): labels are key=value")
        }
        cgroups = try reader.cgroups(instance: Self.instance(dataRoot))
        logDriver = reader.text("log-driver") ?? logDriver
        logOptions = try reader.pairs("log-opts")
        _ = try LogOptions(driver: logDriver, logOptions)
        shmSize = try reader.size("default-shm-size")
        if let seconds = try reader.integer("attach-patience", 0...1_000_000) {
            attachPatience = seconds == 0 ? nil : seconds
        }
        maxDownloads = try reader.integer("max-concurrent-downloads", 1...64) ?? maxDownloads
        maxAttempts = try reader.integer("max-download-attempts", 1...100) ?? maxAttempts
        maxUploads = try reader.integer("max-concurrent-uploads", 1...64) ?? maxUploads
        let builder = try reader.pairs("builder")
        limitsBuildCache = builder["enabled"] != "false"
        let limits = try reader.cacheLimits(builder)
        if limits != CacheLimits() { buildCacheLimits = limits }
        let named = reader.list("hosts")
        hosts = try (named.isEmpty ? ["unix://\(execRoot)/skiff.sock"] : named).map { (text) throws(Failure) in
            try ListenAddress(text)
        }
    }

    private static func level(_ text: String) throws(Failure) -> Logger.Level {
        switch text {
        case "trace": .trace
        case "debug": .debug
        case "info": .info
        case "warn", "warning": .warning
        case "error": .error
        case "fatal", "panic": .critical
        default: throw Failure(.invalid, "invalid logging level: \(text): use debug, info, warn, error or fatal")
        }
    }
}

/// Reads settings by key, with errors that name it.
struct SettingsReader {
    let values: [String: ConfigurationValue]

    func text(_ key: String) -> String? {
        if case .text(let text) = values[key] { return text }
        return nil
    }

    func flag(_ key: String) -> Bool { values[key] == .flag(true) }

    func list(_ key: String) -> [String] {
        if case .list(let items) = values[key] { return items }
        return []
    }

    func path(_ key: String) throws(Failure) -> String? {
        guard let text = text(key), !text.isEmpty else { return nil }
        guard text.hasPrefix("/") else { throw Failure(.invalid, "\(key) needs an absolute path, not \"\(text)\"") }
        return text.count > 1 && text.hasSuffix("/") ? String(text.dropLast()) : text
    }

    func integer(_ key: String, _ range: ClosedRange<Int>) throws(Failure) -> Int? {
        guard let text = text(key) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw Failure(
                .invalid, "\(key) must be a number from \(range.lowerBound) to \(range.upperBound), not \"\(text)\"")
        }
        return value
    }

    func prefix(_ text: String, _ key: String) throws(Failure) -> IPv4Prefix {
        guard let prefix = IPv4Prefix(text) else {
            throw Failure(.invalid, "\(key) must be an IPv4 address with a prefix length, not \"\(text)\"")
        }
        return prefix
    }

    /// `name=value` items.
    func pairs(_ key: String) throws(Failure) -> [String: String] {
        var pairs: [String: String] = [:]
        for item in list(key) {
            let (name, value) = try pair(item, key)
            pairs[name] = value
        }
        return pairs
    }

    func pair(_ item: String, _ key: String) throws(Failure) -> (name: String, value: String) {
        guard let equals = item.firstIndex(of: "="), equals != item.startIndex else {
            throw Failure(.invalid, "\(key) must be name=value, not \"\(item)\"")
        }
        return (String(item[..<equals]), String(item[item.index(after: equals)...]))
    }

    /// `--add-runtime NAME=PATH`, or with arguments out of the file.
    func runtimes() throws(Failure) -> [String: RuntimeProgram] {
        if case .runtimes(let runtimes) = values["runtimes"] { return runtimes }
        return try pairs("runtimes").mapValues { RuntimeProgram(path: $0) }
    }

    /// `base=10.0.0.0/8,size=24`.
    func pool(_ text: String) throws(Failure) -> SubnetPool {
        var parts: [Substring: Substring] = [:]
        for part in text.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1)
            if pair.count == 2 { parts[pair[0]] = pair[1] }
        }
        guard let base = parts["base"].flatMap({ IPv4Prefix(String($0)) }),
            let size = parts["size"].flatMap({ Int($0) }),
            (1...30).contains(size), size >= base.length
        else { throw Failure(.invalid, "an address pool must be base=ADDRESS/LENGTH,size=N, not \"\(text)\"") }
        return SubnetPool(base: base, size: size)
    }

    /// `builder.gc`: `defaultKeepStorage` is the older name of what the cache may have at most.
    func cacheLimits(_ gc: [String: String]) throws(Failure) -> CacheLimits {
        func size(_ name: String) throws(Failure) -> Int64 {
            try gc[name].map { (text) throws(Failure) in try self.size(text, "builder.gc.\(name)") } ?? 0
        }
        return CacheLimits(
            reserved: try size("defaultReservedSpace"),
            most: max(try size("defaultMaxUsedSpace"), try size("defaultKeepStorage")),
            free: try size("defaultMinFreeSpace"))
    }

    /// Bytes, or with `k`, `m`, `g` or `t` for powers of 1024.
    func size(_ key: String) throws(Failure) -> Int64? {
        guard let text = text(key), !text.isEmpty else { return nil }
        return try size(text, key)
    }

    private func size(_ text: String, _ key: String) throws(Failure) -> Int64 {
        let lower = text.lowercased()
        let digits = lower.prefix { $0.isNumber }
        let unit = lower.dropFirst(digits.count).replacing("ib", with: "").replacing("b", with: "")
        let factors: [String: Int64] = ["": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40]
        guard let number = Int64(digits), let factor = factors[String(unit)], number <= .max / factor else {
            throw Failure(.invalid, "\(key) must be a size such as 64m, not \"\(text)\"")
        }
        return number * factor
    }
}
