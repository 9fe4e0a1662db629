internal import EngineClient
internal import Failures
internal import JSON

/// `skiff attach`.
enum AttachContainer {
    private static let noStdin = Option<Bool>.flag("no-stdin", "Do not attach STDIN")
    private static let signalProxy = Option<Bool>.flag(
        "sig-proxy", "Proxy all received signals to the process", default: true)

    static let verb = Verb(
        "attach", "Attach local standard input, output, and error streams to a running container",
        usage: "[OPTIONS] CONTAINER", options: [noStdin, signalProxy, DetachKeys.option], arguments: 1...1
    ) { invocation throws(Failure) in
        let client = try invocation.engine()
        let container = try client.json(Request(.get, "\(ContainerRun.path(invocation.arguments[0]))/json"))
        let state = container["State"]
        guard state?["Running"]?.boolValue == true else {
            throw Failure(.conflict, "You cannot attach to a stopped container, start it first")
        }
        if state?["Paused"]?.boolValue == true {
            throw Failure(.conflict, "You cannot attach to a paused container, unpause it first")
        }
        if state?["Restarting"]?.boolValue == true {
            throw Failure(.conflict, "You cannot attach to a restarting container, wait until it is running")
        }
        let attachment = Attachment(invocation: invocation, client: client, container: container)
        return try attachment.run(
            stdin: !invocation[noStdin] && container["Config"]?["OpenStdin"]?.boolValue == true,
            keys: invocation[DetachKeys.option], proxiesSignals: invocation[signalProxy], starting: false)
    }
}
