internal import CLinux
internal import DockerAPI
internal import EngineClient
internal import Failures
internal import JSON
internal import Linux
internal import OCI

/// `skiff build`.
enum BuildImage {
    private static let tags = Option<[String]>.list(
        "tag", short: "t", "Name and optionally a tag in the \"name:tag\" format"
    ) {
        (text) throws(Failure) in _ = try Reference(parsing: text)
    }
    private static let file = Option<String?>.text(
        "file", short: "f", "Name of the Dockerfile (default is \"PATH/Dockerfile\")")
    private static let arguments = Option<[String]>.list("build-arg", "Set build-time variables")
    private static let labels = Option<[String]>.list("label", "Set metadata for an image")
    private static let target = Option<String?>.text("target", "Set the target build stage to build.")
    private static let noCache = Option<Bool>.flag("no-cache", "Do not use cache when building the image")
    private static let pull = Option<Bool>.flag("pull", "Always attempt to pull a newer version of the image")
    private static let quiet = Option<Bool>.flag(
        "quiet", short: "q", "Suppress the build output and print image ID on success")
    private static let idFile = Option<String?>.text("iidfile", "Write the image ID to the file")
    private static let network = Option<String?>.text(
        "network", "Set the networking mode for the RUN instructions during build")
    private static let platform = Option<String?>.text("platform", "Set platform if server is multi-platform capable")
    private static let addHost = Option<[String]>.list("add-host", "Add a custom host-to-IP mapping (\"host:ip\")")
    private static let cacheFrom = Option<[String]>.list(
        "cache-from", "Images to consider as cache sources", placeholder: "strings")
    private static let squash = Option<Bool>.flag("squash", "Squash newly built layers into a single new layer")
    private static let shmSize = Option<Int64?>.bytes("shm-size", "Size of \"/dev/shm\"")
    private static let remove = Option<Bool>.flag(
        "rm", "Remove intermediate containers after a successful build", default: true)
    private static let forceRemove = Option<Bool>.flag("force-rm", "Always remove intermediate containers")
    private static let progress = Option<String?>.text(
        "progress", "Set type of progress output (\"auto\", \"plain\", \"tty\")", defaultText: "\"auto\"")

    /// What holds of a container holds of a step.
    private static let limits: [any AnyOption] = [
        ContainerOptions.memory, ContainerOptions.memorySwap, ContainerOptions.cpuShares, ContainerOptions.cpuPeriod,
        ContainerOptions.cpuQuota, ContainerOptions.cpusetCPUs, ContainerOptions.cpusetMems, ContainerOptions.ulimits,
        ContainerOptions.cgroupParent,
    ]

    static let verb = Verb(
        "build", "Build an image from a Dockerfile", usage: "[OPTIONS] PATH | URL | -",
        options: [
            tags, file, arguments, labels, target, noCache, pull, quiet, idFile, network, platform, addHost, cacheFrom,
            shmSize, remove, forceRemove, squash, progress,
        ] + limits, arguments: 1...1
    ) { invocation throws(Failure) in
        var query = try query(invocation)
        let body = try body(invocation, &query)
        let logins = try ConfigFile(invocation.environment).allLogins
        let header = Base64.encode(logins.serialized(), urlSafe: true)
        let request = Request(
            .post, "/build", query: query, headers: [("X-Registry-Config", header)], body: body)
        let answer = try invocation.engine().call(request)
        let mode = invocation[progress] ?? "auto"
        var display = BuildDisplay(
            console: invocation.console, quiet: invocation[quiet],
            styled: mode == "tty" || (mode == "auto" && invocation.console.outputIsTerminal))
        try answer.forEachDocument { message throws(Failure) in try display.show(message) }
        try display.finish()
        if let path = invocation[idFile] {
            do throws(SystemError) { try writeFile(path, Array((display.imageID ?? "").utf8)) } catch {
                throw Failure(.internal, "cannot write \(path): \(error.reason)", cause: error)
            }
        }
        return .success
    }

    private static func query(_ invocation: Invocation) throws(Failure) -> [(String, String)] {
        var query = invocation[tags].map { ("t", $0) }
        func add(_ name: String, _ value: String?) { if let value { query.append((name, value)) } }
        func add(_ name: String, _ value: Bool) { if value { query.append((name, "1")) } }
        add("nocache", invocation[noCache])
        add("pull", invocation[pull])
        add("q", invocation[quiet])
        query.append(("rm", invocation[remove] ? "1" : "0"))
        add("forcerm", invocation[forceRemove])
        add("target", invocation[target])
        add("networkmode", invocation[network])
        add("platform", invocation[platform])
        add("squash", invocation[squash])
        add("shmsize", invocation[shmSize].map { String($0) })
        add("memory", invocation[ContainerOptions.memory].map { String($0) })
        add("memswap", invocation[ContainerOptions.memorySwap].map { String($0) })
        add("cpushares", invocation[ContainerOptions.cpuShares].map { String($0) })
        add("cpuperiod", invocation[ContainerOptions.cpuPeriod].map { String($0) })
        add("cpuquota", invocation[ContainerOptions.cpuQuota].map { String($0) })
        add("cpusetcpus", invocation[ContainerOptions.cpusetCPUs])
        add("cpusetmems", invocation[ContainerOptions.cpusetMems])
        add("cgroupparent", invocation[ContainerOptions.cgroupParent])
        let ulimits = try invocation[ContainerOptions.ulimits].map { (text) throws(Failure) in
            let limit = try ContainerRequest.ulimit(text)
            return JSON.object([
                "Name": .string(limit.name), "Soft": .integer(limit.soft), "Hard": .integer(limit.hard),
            ])
        }
        add("ulimits", ulimits.isEmpty ? nil : JSON.array(ulimits).text)
        let hosts = invocation[addHost].map { $0.contains("=") ? keyValue($0).name + ":" + keyValue($0).value : $0 }
        add("extrahosts", hosts.isEmpty ? nil : hosts.joined(separator: ","))
        let sources = invocation[cacheFrom].flatMap { $0.split(separator: ",").map(String.init) }
        add("cachefrom", sources.isEmpty ? nil : JSON(sources).text)
        if !invocation[arguments].isEmpty { add("buildargs", buildArguments(invocation).text) }
        if !invocation[labels].isEmpty { add("labels", JSON(CreateNetwork.pairs(invocation[labels])).text) }
        return query
    }

    /// A name without a value takes it from the environment, or asks for the Dockerfile's default.
    private static func buildArguments(_ invocation: Invocation) -> JSON {
        var object = JSON.object([:])
        for line in invocation[arguments] {
            let (name, value) = keyValue(line)
            object[name] =
                line.contains("=")
                ? .string(value)
                : invocation.environment.variables[name].map { .string($0) } ?? .null
        }
        return object
    }

    private static func body(
        _ invocation: Invocation, _ query: inout [(String, String)]
    ) throws(Failure) -> Request.Body {
        let source = invocation.arguments[0]
        let isRemote = ["http://", "https://", "git://", "git@", "github.com/"].contains { source.hasPrefix($0) }
        if isRemote {
            query.append(("remote", source))
            query.append(("dockerfile", invocation[file] ?? "Dockerfile"))
            return .none
        }
        func standardInput() throws(Failure) -> [UInt8] {
            do { return try readAll(invocation.console.input, limit: 16 << 20) } catch {
                throw Failure(.invalid, "failed to read the Dockerfile from STDIN: \(error.reason)", cause: error)
            }
        }
        if source == "-" {
            guard invocation[file] != "-" else {
                throw Failure(.invalid, "invalid argument: can't use stdin for both build context and dockerfile")
            }
            let stream = try StandardInputContext(console: invocation.console)
            query.append(("dockerfile", stream.isArchive ? invocation[file] ?? "Dockerfile" : "Dockerfile"))
            return .stream(type: "application/x-tar", stream.send)
        }
        let context = try BuildContext(directory: source, file: invocation[file], standardInput: standardInput)
        query.append(("dockerfile", context.dockerfile))
        return .stream(type: "application/x-tar", context.send)
    }
}
