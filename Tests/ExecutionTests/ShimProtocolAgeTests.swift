import CLinux
import JSON
import Linux
import Mutation
import ShimProtocol
import Testing

@testable import Execution

/// Today's shim, spoken to as the first release's daemon did, and as a later one may.
@Suite(.enabled(if: ShimFixture.isPossible, "needs root, busybox-static and the shim beside the tests"), .serialized)
struct ShimProtocolAgeTests {
    /// The requests that the first release sent, without `launch` and with the tag that each carries.
    static let requests: [(tag: UInt32, datagram: [UInt8])] = {
        let beside = #filePath.split(separator: "/").dropLast(2).reduce("") { $0 + "/" + $1 } + "/ShimProtocolTests/x"
        let text = (try? Mutator.corpus(beside: beside).first).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.split(separator: "\n").filter { $0.hasPrefix("request ") && !$0.contains("\"launch\"") }.compactMap
        {
            let body = Array($0.split(separator: " ", maxSplits: 3)[3].utf8)
            guard let tag = (try? JSON.parse(body))?["tag"]?.intValue else { return nil }
            return (UInt32(tag), [1, 0] + body)
        }
    }()

    /// Sends a datagram and returns the answer to it; events that come between are passed over.
    static func ask(_ socket: Int32, _ datagram: [UInt8], tag: UInt32) async throws -> JSON {
        try await onThread {
            try sendMessage(socket, datagram)
            while let message = try receiveMessage(socket, limit: ShimWire.datagramLimit) {
                let answer = try JSON.parse(Array(message.bytes.dropFirst(2)))
                if answer["tag"]?.intValue == Int64(tag) { return answer }
            }
            throw SystemError("receive", errno: EPIPE)
        }
    }

    private static func connection(_ fixture: ShimFixture, _ id: String) throws -> OwnedDescriptor {
        let directory = try open("\(fixture.root)/run/shims/\(id)", O_RDONLY | O_DIRECTORY)
        let socket = try connectForMessages(in: directory.raw, ShimEndpoint.socketName)
        try setNonBlocking(socket.raw, false)
        return socket
    }

    @Test func everyRequestOfTheFirstReleaseIsAnswered() async throws {
        #expect(Self.requests.count == 16)
        try await ShimFixture.with { fixture in
            let task = try await fixture.launcher.launch(try fixture.request("sleep 1000"))
            let socket = try Self.connection(fixture, task.id)
            var answers: [String: String] = [:]
            // What changes its limits and what kills it come last.
            let last: [UInt32] = [14, 8]
            let ordered =
                Self.requests.filter { !last.contains($0.tag) }
                + last.compactMap { tag in
                    Self.requests.first { $0.tag == tag }
                }
            for (tag, datagram) in ordered {
                let name = try #require(try JSON.parse(Array(datagram.dropFirst(2)))["do"]?.stringValue)
                let answer = try await Self.ask(socket.raw, datagram, tag: tag)
                answers["\(tag) \(name)"] = answer["is"]?.stringValue
                if name == "hello" {
                    #expect(answer["id"]?.stringValue == task.id)
                    #expect(answer["pid"]?.intValue == Int64(task.pid))
                    #expect(answer["startedAt"]?.intValue == Int64(task.startedAt))
                }
            }
            // Whether the exec has ended by then, and whether a kilobyte is enough, is the kernel's to say.
            #expect(["done", "failed"].contains(answers.removeValue(forKey: "11 resize")))
            #expect(["done", "failed"].contains(answers.removeValue(forKey: "14 update")))
            // No descriptor came with the attachments of the corpus; what runs is not collected.
            #expect(
                answers == [
                    "2 hello": "state", "3 attach": "failed", "4 attach": "failed", "5 exec": "executing",
                    "6 exec": "failed", "7 signal": "done", "8 signal": "done", "9 signal": "failed",
                    "10 resize": "done", "12 pause": "done", "13 resume": "done", "15 processes": "processes",
                    "16 forget": "done", "17 collect": "failed",
                ])
            #expect(await task.exit.code == 137)
        }
    }

    @Test func whatALaterDaemonAsksIsRefusedUnderItsTag() async throws {
        try await ShimFixture.with { fixture in
            let task = try await fixture.launcher.launch(try fixture.request("sleep 1000"))
            let socket = try Self.connection(fixture, task.id)
            let later = Array("{\"tag\":77,\"do\":\"teleport\",\"to\":\"mars\"}".utf8)
            let refusal = try await Self.ask(socket.raw, [1, 0] + later, tag: 77)
            #expect(refusal["is"]?.stringValue == "failed" && refusal["stage"]?.stringValue == "request")
            #expect(refusal["message"]?.stringValue?.contains("teleport") == true)
            // Datagrams made in another way have no tag that could be read.
            let other = try await Self.ask(socket.raw, [2, 0] + later, tag: 0)
            #expect(other["message"]?.stringValue?.contains("version 2") == true)
            // It goes on as before, and tells what it knows.
            let state = try await Self.ask(
                socket.raw, [1, 0] + Array("{\"tag\":78,\"do\":\"hello\",\"new\":1}".utf8), tag: 78)
            #expect(state["revision"]?.intValue == Int64(ShimDialect.current.revision))
            #expect(state["requests"]?.arrayValue?.compactMap(\.stringValue) == ShimDialect.current.requests.sorted())
            #expect(task.exitNow == nil)
        }
    }

    @Test func aClientThatBreaksOffTakesNoStatusWithIt() async throws {
        try await ShimFixture.with { fixture in
            let task = try await fixture.launcher.launch(try fixture.request("exit 9"))
            #expect(await task.exit.code == 9)
            // This one was told and dies before it has written it down.
            task.disconnect()
            do {
                let socket = try Self.connection(fixture, task.id)
                let state = try await Self.ask(socket.raw, [1, 0] + Array("{\"tag\":1,\"do\":\"hello\"}".utf8), tag: 1)
                #expect(state["exit"]?["code"]?.intValue == 9)
                // Half a message, and gone.
                try sendMessage(socket.raw, [1, 0] + Array("{\"tag\":2,\"do\":\"coll".utf8))
            }
            let again = try #require(await fixture.anotherLauncher().recover(task.id))
            #expect(again.exitNow?.code == 9)
            await again.collect()
            #expect(await fixture.launcher.known().isEmpty)
        }
    }
}
