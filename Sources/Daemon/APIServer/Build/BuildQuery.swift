internal import Builder
internal import Engine
internal import Failures
internal import HTTPServer
internal import Images
internal import JSON
internal import NIOHTTP1

/// The parameters of `POST /build`, of which many are JSON themselves.
enum BuildQuery {
    static func request(_ exchange: Exchange) throws(Failure) -> BuildRequest {
        let query = exchange.query
        var request = BuildRequest()
        request.tags = query.all("t").filter { !$0.isEmpty }
        request.dockerfile = nonEmpty(query["dockerfile"]) ?? "Dockerfile"
        request.noCache = query.flag("nocache")
        request.pull = query.flag("pull")
        request.buildArguments = try arguments(query["buildargs"])
        request.labels = try strings(query["labels"], "labels")
        request.target = nonEmpty(query["target"])
        request.platform = nonEmpty(query["platform"])
        request.networkMode = nonEmpty(query["networkmode"])
        request.extraHosts = query.all("extrahosts").flatMap { $0.split(separator: ",").map(String.init) }
        request.quiet = query.flag("q")
        request.cacheFrom = try list(query["cachefrom"], "cachefrom")
        request.squash = query.flag("squash")
        request.limits = try limits(exchange)
        request.logins = logins(exchange.request.headers.first(name: "x-registry-config"))
        return request
    }

    private static func limits(_ exchange: Exchange) throws(Failure) -> BuildLimits {
        func number(_ name: String) throws(Failure) -> Int64? {
            guard let value = try exchange.integer(name), value != 0 else { return nil }
            return Int64(value)
        }
        var limits = BuildLimits()
        limits.memory = try number("memory")
        limits.memorySwap = try number("memswap")
        limits.cpuShares = try number("cpushares")
        limits.cpuPeriod = try number("cpuperiod")
        limits.cpuQuota = try number("cpuquota")
        limits.cpuSet = nonEmpty(exchange.query["cpusetcpus"])
        limits.cpuSetMemory = nonEmpty(exchange.query["cpusetmems"])
        limits.sharedMemory = try number("shmsize")
        limits.cgroupParent = nonEmpty(exchange.query["cgroupparent"])
        limits.ulimits = try ulimits(exchange.query["ulimits"])
        return limits
    }

    /// The parameters of `POST /build/prune`; `keep-storage` is what `reserved-space` was called before API 1.48.
    static func pruning(_ exchange: Exchange) throws(Failure) -> CachePruning {
        var pruning = CachePruning()
        pruning.all = exchange.query.flag("all")
        func bytes(_ name: String) throws(Failure) -> Int64 {
            let value = try exchange.integer(name) ?? 0
            guard value >= 0 else { throw Failure(.invalid, "\(name) is less than zero") }
            return Int64(value)
        }
        let limits = CacheLimits(
            reserved: max(try bytes("keep-storage"), try bytes("reserved-space")), most: try bytes("max-used-space"),
            free: try bytes("min-free-space"))
        if limits != CacheLimits() { pruning.limits = limits }
        let filters = try exchange.filters(["description", "id", "inuse", "private", "shared", "type", "until"])
        pruning.ids = filters["id"]
        pruning.kinds = filters["type"]
        pruning.descriptions = filters["description"]
        pruning.isInUse = try filters.flag("inuse")
        let isPrivate = try filters.flag("private")
        pruning.isShared = try filters.flag("shared") ?? isPrivate.map { !$0 }
        if let until = try PruneService.until(filters) {
            pruning.unusedFor = max(0, Timestamp.now.nanoseconds - until.nanoseconds)
        }
        return pruning
    }

    private static func nonEmpty(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }

    private static func parsed(_ text: String?, _ name: String) throws(Failure) -> JSON? {
        guard let text, !text.isEmpty else { return nil }
        do {
            let json = try JSON.parse(text)
            return json.isNull ? nil : json
        } catch {
            throw Failure(.invalid, "error parsing \(name): \(error)", cause: error)
        }
    }

    /// `{"NAME":"value","OTHER":null}`; null is an argument named without a value.
    private static func arguments(_ text: String?) throws(Failure) -> [String: String?] {
        guard let json = try parsed(text, "build args") else { return [:] }
        guard let object = json.objectValue else { throw Failure(.invalid, "error parsing build args: not an object") }
        var arguments: [String: String?] = [:]
        for (name, value) in object {
            guard value.isNull || value.stringValue != nil else {
                throw Failure(.invalid, "error parsing build args: \(name) is not a string")
            }
            arguments.updateValue(value.stringValue, forKey: name)
        }
        return arguments
    }

    private static func strings(_ text: String?, _ name: String) throws(Failure) -> [String: String] {
        guard let json = try parsed(text, name) else { return [:] }
        guard let object = json.objectValue else { throw Failure(.invalid, "error parsing \(name): not an object") }
        var strings: [String: String] = [:]
        for (key, value) in object {
            guard let value = value.stringValue else {
                throw Failure(.invalid, "error parsing \(name): \(key) is not a string")
            }
            strings[key] = value
        }
        return strings
    }

    private static func list(_ text: String?, _ name: String) throws(Failure) -> [String] {
        guard let json = try parsed(text, name) else { return [] }
        guard let array = json.arrayValue else { throw Failure(.invalid, "error parsing \(name): not a list") }
        return array.compactMap(\.stringValue)
    }

    private static func ulimits(_ text: String?) throws(Failure) -> [BuildLimits.Ulimit] {
        guard let json = try parsed(text, "ulimits") else { return [] }
        guard let array = json.arrayValue else { throw Failure(.invalid, "error parsing ulimits: not a list") }
        return try array.map { (entry) throws(Failure) in
            guard let name = entry["Name"]?.stringValue, let soft = entry["Soft"]?.intValue,
                let hard = entry["Hard"]?.intValue
            else { throw Failure(.invalid, "error parsing ulimits: each needs Name, Soft and Hard") }
            return BuildLimits.Ulimit(name: name, soft: soft, hard: hard)
        }
    }

    /// `X-Registry-Config`: logins by server, in base64; what cannot be read counts as none, as on pull.
    private static func logins(_ header: String?) -> [String: RegistryLogin] {
        guard let header, let object = Base64JSON.parse(header)?.objectValue else { return [:] }
        var logins: [String: RegistryLogin] = [:]
        for (server, entry) in object {
            guard let credentials = Credentials(json: entry) else { continue }
            logins[server] = RegistryLogin(
                username: credentials.username, password: credentials.password,
                identityToken: credentials.identityToken.isEmpty ? nil : credentials.identityToken)
        }
        return logins
    }
}

/// JSON in base64, in either alphabet, padded or not: how headers carry logins.
enum Base64JSON {
    static func parse(_ text: String) -> JSON? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in text.utf8 where byte != UInt8(ascii: "=") {
            guard let value = value(byte) else { return nil }
            bits = bits << 6 | value
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return try? JSON.parse(bytes)
    }

    private static func value(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
