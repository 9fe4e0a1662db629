internal import CLinux
internal import EngineClient
internal import Failures
internal import JSON

/// `skiff start`.
enum StartContainer {
    private static let attach = Option<Bool>.flag(
        "attach", short: "a", "Attach STDOUT/STDERR and forward signals")
    private static let interactive = Option<Bool>.flag("interactive", short: "i", "Attach container's STDIN")
    private static let signalProxy = Option<Bool>.flag("sig-proxy", "", default: true).hidden

    static let verb = Verb(
        "start", "Start one or more stopped containers", usage: "[OPTIONS] CONTAINER [CONTAINER...]",
        options: [attach, interactive, DetachKeys.option, signalProxy], arguments: atLeast(1)
    ) { invocation throws(Failure) in
        let client = try invocation.engine()
        let containers = ContainerRun(client: client, console: invocation.console)
        guard invocation[attach] || invocation[interactive] else {
            var failed: [String] = []
            let code = try invocation.forEachArgument(invocation.arguments) { name throws(Failure) in
                do throws(Failure) { try containers.start(name) } catch {
                    failed.append(name)
                    throw error
                }
                invocation.console.print(name)
            }
            if !failed.isEmpty {
                invocation.console.error("Error: failed to start containers: \(failed.joined(separator: ", "))")
            }
            return code
        }
        guard invocation.arguments.count == 1 else {
            throw Failure(.invalid, "you cannot start and attach multiple containers at once")
        }
        let container = try client.json(Request(.get, "\(ContainerRun.path(invocation.arguments[0]))/json"))
        let attachment = Attachment(invocation: invocation, client: client, container: container)
        return try attachment.run(
            stdin: invocation[interactive] && container["Config"]?["OpenStdin"]?.boolValue == true,
            keys: invocation[DetachKeys.option], proxiesSignals: invocation[signalProxy], starting: true)
    }
}
