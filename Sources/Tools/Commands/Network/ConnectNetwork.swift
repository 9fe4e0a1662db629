internal import DockerAPI
internal import EngineClient
internal import Failures
internal import JSON

/// `skiff network connect` and `skiff network disconnect`.
enum ConnectNetwork {
    private static let aliases = Option<[String]>.list(
        "alias", "Add network-scoped alias for the container", placeholder: "strings")
    private static let ip = Option<String?>.text("ip", "IPv4 address (e.g., \"172.30.100.104\")")
    private static let ip6 = Option<String?>.text("ip6", "IPv6 address (e.g., \"2001:db8::33\")")
    private static let links = Option<[String]>.list("link", "Add link to another container")
    private static let force = Option<Bool>.flag(
        "force", short: "f", "Force the container to disconnect from a network")

    static let connect = Verb(
        "connect", "Connect a container to a network", usage: "[OPTIONS] NETWORK CONTAINER",
        options: [aliases, ip, ip6, links], arguments: 2...2
    ) { invocation throws(Failure) in
        var spec = NetworkSpec(name: invocation.arguments[0])
        spec.add(aliases: invocation[aliases], ip: invocation[ip], ip6: invocation[ip6], macAddress: nil)
        var settings = spec.settings
        settings.links = invocation[links].nonEmpty
        var request = NetworkConnectRequest()
        request.container = invocation.arguments[1]
        request.endpointConfig = settings
        let path = "/networks/\(pathPart(invocation.arguments[0]))/connect"
        try invocation.engine().json(Request(.post, path, body: .json(try encoded(request))))
        return .success
    }

    static let disconnect = Verb(
        "disconnect", "Disconnect a container from a network", usage: "[OPTIONS] NETWORK CONTAINER", options: [force],
        arguments: 2...2
    ) { invocation throws(Failure) in
        var request = NetworkDisconnectRequest()
        request.container = invocation.arguments[1]
        request.force = invocation[force]
        let path = "/networks/\(pathPart(invocation.arguments[0]))/disconnect"
        try invocation.engine().json(Request(.post, path, body: .json(try encoded(request))))
        return .success
    }
}
