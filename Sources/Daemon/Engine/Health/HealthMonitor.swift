internal import Execution
internal import Failures
internal import Linux
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// Asks one running container again and again whether it is well.
///
/// A task of its own per container, cancelled when the run ends.
struct HealthMonitor: Sendable {
    let container: Container
    let check: HealthCheck
    let service: ContainerService
    let task: ContainerTask

    static func isWanted(_ check: HealthCheck?) -> Bool { check.flatMap { command(of: $0, shell: nil) } != nil }

    /// The probe's command; nil for none.
    static func command(of check: HealthCheck, shell: [String]?) -> [String]? {
        switch check.test.first {
        case "CMD" where check.test.count > 1: Array(check.test.dropFirst())
        case "CMD-SHELL" where check.test.count > 1: (shell ?? ["/bin/sh", "-c"]) + [check.test[1]]
        default: nil
        }
    }

    func run() async {
        guard let command = Self.command(of: check, shell: container.config.shell) else { return }
        var rules = HealthRules(check)
        while !Task.isCancelled {
            let delay = rules.delay(sinceStart: age)
            do { try await Task.sleep(nanoseconds: UInt64(delay)) } catch { return }
            // A frozen container is not asked.
            guard container.state.status == .running else { continue }
            let begun = age
            let probe = await probe(command, timeout: rules.timeout)
            if Task.isCancelled { return }
            let change = rules.probed(probe, sinceStart: begun)
            let state = rules.state
            container.withLock { $0.record.lifecycle.state.health = state }
            if let change {
                service.events.publish(
                    Event(
                        .container, "health_status: \(change.rawValue)", actor: container.id,
                        attributes: container.eventAttributes()))
            }
        }
    }

    private var age: Int64 { max(0, Timestamp.now.nanoseconds - task.startedAt) }

    private func probe(_ command: [String], timeout: Int64) async -> HealthProbe {
        let start = Timestamp.now
        let id = RandomID.make()
        let line = command.joined(separator: " ")
        func tell(_ action: String, _ more: [String: String] = [:]) {
            let attributes = container.eventAttributes(["execID": id].merging(more) { _, new in new })
            service.events.publish(Event(.container, action, actor: container.id, attributes: attributes))
        }
        tell("exec_create: \(line)")
        tell("exec_start: \(line)")
        let outcome: (code: Int, output: String)
        do {
            outcome = try await execute(command, id: id, timeout: timeout)
        } catch {
            outcome = ((error as? Failure)?.cause is StartFailure ? 1 : -1, "\(error)")
        }
        tell("exec_die", ["exitCode": String(outcome.code)])
        return HealthProbe(start: start, end: .now, exitCode: outcome.code, output: outcome.output)
    }

    private func execute(_ command: [String], id: String, timeout: Int64) async throws -> (code: Int, output: String) {
        let (attachment, stream) = try StreamAttachment.pair(StreamChoice(framed: false))
        let collector = OutputCollector()
        let channel = try await ClientBootstrap(group: service.group)
            .channelInitializer { $0.pipeline.addHandler(collector) }
            .withConnectedSocket(stream.take()).get()
        defer { channel.close(promise: nil) }
        let plan = service.plan(container.withLock { $0.record }, hostname: container.config.hostname)
        let running = try await task.exec(
            Execution.ExecRequest(
                id: id, arguments: command, environment: plan.environment(tty: false), attachments: [attachment]))
        let exit = Promise<Int>()
        let waiting = Task { exit.fulfil(Int(await running.exit.code)) }
        defer { waiting.cancel() }
        if let code = await exit.value(withinNanoseconds: timeout) {
            // What it printed has been delivered or is on its way: its end of file follows.
            _ = try? await channel.closeFuture.get()
            return (code, collector.text)
        }
        try? await running.signal(Signal.kill.number)
        let seconds = timeout / 1_000_000_000
        return (-1, "Health check exceeded timeout (\(seconds > 0 ? "\(seconds)s" : "\(timeout / 1_000_000)ms"))")
    }
}

/// Keeps the first 4096 bytes that come and drops the rest.
private final class OutputCollector: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private static let limit = 4096
    private let bytes = Mutex<[UInt8]>([])

    var text: String { String(decoding: bytes.withLock { $0 }, as: UTF8.self) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        bytes.withLock { $0.append(contentsOf: buffer.readableBytesView.prefix(Self.limit - $0.count)) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
