import CLinux
import Linux
import Testing

@testable import Execution

/// What the real shim does behind the end of a process that somebody is still attached to.
@Suite(.enabled(if: ShimFixture.isPossible, "needs root, busybox-static and the shim beside the tests"), .serialized)
struct ShimEndTests {
    /// Both ways are stuck when the process ends: its input is full, and its output waits for who reads nothing.
    @Test func aReaderThatGoesBehindTheEndLetsTheShimGo() async throws {
        try await ShimFixture.with { fixture in
            let (attachment, stream) = try StreamAttachment.pair(StreamChoice(input: true, framed: false))
            // Less than is written at the end, which in turn is less than a pipe holds.
            var size: Int32 = 8 << 10
            let raw = attachment.descriptor.raw
            try check("setsockopt") {
                setsockopt(raw, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
            }
            let task = try await fixture.launcher.launch(
                try fixture.request(
                    "trap 'seq 1 12000; exit 0' USR1; echo ready; while :; do sleep 1000 & wait; done"
                ) {
                    $0.attachments = [attachment]
                    $0.input = .open
                })
            let shim = try PidFD(ShimTests.shim(of: task))
            let peer = Peer(stream)
            #expect(try await peer.read(until: "ready\n") == "ready\n")
            try peer.write(String(repeating: "x", count: 128 << 10))
            // With each answer the shim has also read of the input, as long as the process had room for it.
            for _ in 0..<8 { _ = try await task.processes() }
            try await task.signal(SIGUSR1)
            #expect(await task.exit.code == 0)
            await task.collect()
            shutDown(peer.socket.raw, reading: true, writing: true)
            let hasEnded = try await onThread { try poll([(shim.raw, Int16(POLLIN))], timeout: 180_000)[0] != 0 }
            #expect(hasEnded)
            // Nobody else would end it.
            if !hasEnded { try shim.send(SIGKILL) }
        }
    }

    @Test func theOutputOfAnExecEndsThoughWhatItLeftBehindWritesOn() async throws {
        try await ShimFixture.with { fixture in
            let task = try await fixture.launcher.launch(try fixture.request("sleep 1000"))
            let (attachment, stream) = try StreamAttachment.pair(StreamChoice(framed: false))
            let exec = try await task.exec(
                ExecRequest(
                    id: "e", arguments: ["sh", "-c", "(while :; do echo more; done) & exit 3"],
                    attachments: [attachment]))
            _ = try await Peer(stream).readToEnd()
            #expect(await exec.exit.code == 3)
        }
    }
}
