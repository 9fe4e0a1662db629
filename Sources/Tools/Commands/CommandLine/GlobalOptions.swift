internal import EngineClient
internal import Failures

/// The options that stand between `skiff` and the verb, and whom they name.
enum GlobalOptions {
    static let host = Option<[String]>.list("host", short: "H", "Daemon socket to connect to")
    static let config = Option<String?>.text("config", "Location of client config files")
    static let debug = Option<Bool>.flag("debug", short: "D", "Enable debug mode")
    static let logLevel = Option<String?>.text(
        "log-level", short: "l", "Set the logging level (\"debug\", \"info\", \"warn\", \"error\", \"fatal\")")
    static let version = Option<Bool>.flag("version", short: "v", "Print version information and quit")

    static let all: [any AnyOption] = [host, config, debug, logLevel, version]

    /// `-H`, then `SKIFF_HOST`, then `DOCKER_HOST`, then Skiff's own socket.
    static func client(_ parsed: ParsedArguments, _ environment: Environment) throws(Failure) -> EngineClient {
        let hosts = parsed[host]
        guard hosts.count <= 1 else { throw Failure(.invalid, "specify only one -H") }
        var endpoint = Endpoint.standard
        if let text = hosts.first ?? environment["SKIFF_HOST"] ?? environment["DOCKER_HOST"] {
            if environment["DOCKER_TLS_VERIFY"] != nil, text.hasPrefix("tcp://") {
                throw Failure(
                    .notImplemented, "TLS is not supported yet: unset DOCKER_TLS_VERIFY, or use a unix socket")
            }
            endpoint = try Endpoint(parsing: text)
        }
        return EngineClient(
            endpoint: endpoint, version: environment["DOCKER_API_VERSION"] ?? EngineClient.newestVersion,
            userAgent: Program.userAgent)
    }
}
