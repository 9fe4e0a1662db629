internal import HTTPServer
internal import Linux
internal import NIOCore
internal import NIOPosix

/// Carries bytes between a taken-over connection and the stream of a process, until the process's output ends.
///
/// The bytes are framed already; nothing here looks at them but the detach keys of a terminal. Each direction ends by
/// itself: the client's half-close is the end of stdin, the end of output half-closes towards the client, which
/// then closes. If the client vanishes the process's stream is let go.
struct Relay: Sendable {
    /// Why a relay ended.
    enum End: Sendable { case outputEnded, detached }

    let connection: RawConnection
    /// Whether what the client sends is for the process; without it is read and dropped.
    let forwardsInput: Bool
    /// Whether the end of input ends the whole attach: with a terminal there is no half of it to stay for.
    let endsWithInput: Bool
    /// The keys to look for; nil without a terminal.
    let detachKeys: DetachSequence?
    /// Returns when it is known how the process ended, or when the task that asks is called off.
    ///
    /// The output ends by another way, maybe first, and a client that has seen its end asks for the exit code at once.
    var ended: @Sendable () async -> Void = {}
    /// How long that is waited for.
    var patience = TimeAmount.seconds(10)

    /// - Parameter descriptor: the process's stream socket, taken over.
    func run(_ descriptor: Int32) async throws -> End {
        let process = try await ClientBootstrap(group: connection.eventLoop)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .withConnectedSocket(descriptor) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
        let stream = process.channel
        // A client that goes leaves behind what it sent: the process gets that before its stream is let go.
        let carried = connection.eventLoop.makePromise(of: Void.self)
        let ending = Task { await ended() }
        connection.whenClosed {
            // Who has left waits for nothing; nor does the server for it.
            ending.cancel()
            carried.futureResult.whenComplete { _ in stream.close(promise: nil) }
        }
        return try await process.executeThenClose { inbound, outbound in
            try await withThrowingTaskGroup(of: End?.self) { group in
                group.addTask {
                    defer { carried.succeed() }
                    return try await carryInput(outbound, stream, ending)
                }
                group.addTask {
                    await carryOutput(inbound)
                    // Who was cut off, since it did not read, has nothing to hear: the process goes on.
                    let limit = connection.eventLoop.scheduleTask(in: patience) { ending.cancel() }
                    await withTaskCancellationHandler {
                        await ending.value
                    } onCancel: {
                        ending.cancel()
                    }
                    limit.cancel()
                    await connection.finish()
                    return nil
                }
                var end: End?
                while let next = try await group.next() { end = end ?? next }
                return end ?? .outputEnded
            }
        }
    }

    /// Ends with the process's output.
    ///
    /// When the client is gone what still comes is read and dropped, so that nobody waits for it in vain.
    private func carryOutput(_ inbound: NIOAsyncChannelInboundStream<ByteBuffer>) async {
        var isHeard = true
        do {
            for try await bytes in inbound where isHeard {
                do { try await connection.write(bytes) } catch { isHeard = false }
            }
        } catch {
            // The shim closed with our last bytes unread: the end as well.
        }
    }

    /// Ends when the client closes its side; behind the end of output it only waits for that.
    ///
    /// - Parameter ending: what the end of output waits for, unless it is we who end it.
    private func carryInput(
        _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>, _ stream: any Channel, _ ending: Task<Void, Never>
    ) async throws -> End? {
        var keys = detachKeys
        var open = forwardsInput
        while let bytes = try await connection.read() {
            guard open else { continue }
            var passed = bytes
            var detached = false
            if keys != nil, let result = keys?.filter(bytes.readableBytesView) {
                passed = ByteBuffer(bytes: result.passed)
                detached = result.detached
            }
            do {
                // Written when this returns: what follows may be the end of the stream.
                if passed.readableBytes > 0 { try await stream.writeAndFlush(passed) }
            } catch {
                open = false
            }
            if detached {
                ending.cancel()
                // First: what has not left for the client by now must not keep the process waiting.
                try? await stream.close()
                await connection.finish()
                return .detached
            }
        }
        guard forwardsInput else { return nil }
        outbound.finish()
        if endsWithInput {
            ending.cancel()
            try? await stream.close()
        }
        return nil
    }
}
