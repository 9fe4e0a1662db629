internal import NIOCore

/// Closes our side of a connection behind everything that was written to it.
///
/// A `write` returns when the loop has the bytes, not when they are out, and a channel that is closed altogether drops
/// what it still has: when the time is up, and at once where only our side was meant and the client has closed its own.
struct OutputEnd: Sendable {
    let outbound: NIOAsyncChannelOutboundWriter<ConnectionOutput>
    let channel: any Channel
    /// How long the client has to close its side behind ours.
    let linger: TimeAmount
    let drain: DrainSignal

    /// Returns when our side is closed, however slowly the client reads: it sees the end and may still send.
    ///
    /// A server that drains waits only a moment longer, and a task that is called off closes the connection.
    func close() async {
        let ticket = drain.onDrain { closeSoon() }
        await withTaskCancellationHandler {
            do { try await channel.writeAndFlush(ConnectionOutput.flush) } catch {
                // Closed already: nothing is on its way any more.
            }
        } onCancel: {
            channel.close(promise: nil)
        }
        drain.forget(ticket)
        outbound.finish()
    }

    /// Closes our side, and the connection when the client has not done so after a moment.
    ///
    /// - Returns: what closes it, for whoever has seen that there is no need.
    @discardableResult
    func finish() async -> Scheduled<Void> {
        await close()
        return closeSoon()
    }

    @discardableResult
    private func closeSoon() -> Scheduled<Void> {
        channel.eventLoop.scheduleTask(in: linger) { channel.close(promise: nil) }
    }
}
