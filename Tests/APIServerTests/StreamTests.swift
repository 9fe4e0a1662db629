import Builder
import DockerAPI
import Engine
import Failures
import HTTPServer
import Images
import JSON
import NIOCore
import NIOHTTP1
import OCI
import Testing

@testable import APIServer

@Suite struct StreamTests {
    // MARK: Detach keys

    @Test func detachKeysAreKeptFromTheProcess() throws {
        var keys = DetachSequence.standard
        #expect(keys.filter(Array("ab".utf8)) == (Array("ab".utf8), false))
        // A ctrl-p waits for the next key, and goes on when that is another.
        #expect(keys.filter([16]) == ([], false))
        #expect(keys.filter([65]) == ([16, 65], false))
        #expect(keys.filter([16, 16]) == ([16], false))
        #expect(keys.filter([17, 66]) == ([], true))
    }

    @Test(arguments: [
        (nil, [UInt8]([16, 17])), ("", [16, 17]), ("a", [97]), ("ctrl-a,z", [1, 122]),
        ("ctrl-@,ctrl-],ctrl-\\", [0, 29, 28]),
    ])
    func detachKeysAreNamed(text: String?, bytes: [UInt8]) throws {
        #expect(try DetachSequence.parse(text) == DetachSequence(keys: bytes))
    }

    @Test(arguments: ["ctrl-", "ctrl-1", "ab", "a,,b"])
    func unknownDetachKeysAreRefused(text: String) {
        #expect(throws: Failure(.invalid, "")) { try DetachSequence.parse(text) }
    }

    // MARK: Content types

    @Test func framesHaveTheirOwnTypeSince142() {
        #expect(RawStream.contentType(tty: false, version: APIVersion(1, 42)) == RawStream.multiplexed)
        #expect(RawStream.contentType(tty: false, version: APIVersion(1, 41)) == RawStream.raw)
        #expect(RawStream.contentType(tty: true, version: APIVersion(1, 51)) == RawStream.raw)
        #expect(RawStream.contentType(tty: false, version: APIVersion(1, 51), upgraded: false) == RawStream.raw)
    }

    @Test func theHeadOfAnAttachIsWhatClientsKnow() {
        let request = Request(method: .POST, uri: "/containers/a/attach", headers: ["Upgrade": "tcp"])
        let exchange = Exchange(request: request, version: .newest, name: "a")
        let head = RawStream.head(exchange, tty: true, bare: false)
        #expect(head.status.code == 101 && head.status.reasonPhrase == "UPGRADED")
        #expect(
            head.headers.map { "\($0.name): \($0.value)" } == [
                "Content-Type: application/vnd.docker.raw-stream", "Connection: Upgrade", "Upgrade: tcp",
            ])
    }

    // MARK: Progress

    private func line(_ message: ProgressMessage) throws -> String {
        String(buffer: try ByteBuffer(line: message, end: "\r\n"))
    }

    @Test func progressLooksAsDockers() throws {
        let moving = ProgressMessage(
            TransferProgress.layer(id: "0123456789ab", stage: .downloading(current: 5, total: 10)))
        #expect(
            try line(moving)
                == #"{"status":"Downloading","progressDetail":{"current":5,"total":10},"id":"0123456789ab"}"# + "\r\n")
        let done = ProgressMessage(TransferProgress.layer(id: "0123456789ab", stage: .pullComplete))
        #expect(try line(done) == #"{"status":"Pull complete","progressDetail":{},"id":"0123456789ab"}"# + "\r\n")
        let name = try Reference(parsing: "alpine:3.19")
        #expect(
            try line(ProgressMessage(TransferProgress.downloaded(name)))
                == #"{"status":"Status: Downloaded newer image for alpine:3.19"}"# + "\r\n")
        #expect(
            try line(ProgressMessage(TransferProgress.loaded(name)))
                == #"{"stream":"Loaded image: alpine:3.19\n"}"# + "\r\n")
    }

    @Test func countersMayBeDroppedAndNothingElse() {
        #expect(TransferProgress.layer(id: "a", stage: .downloading(current: 5, total: 10)).isCounter)
        #expect(!TransferProgress.layer(id: "a", stage: .downloading(current: 10, total: 10)).isCounter)
        #expect(!TransferProgress.layer(id: "a", stage: .pullComplete).isCounter)
    }

    @Test func aStepThatFailsSaysItsCode() throws {
        let message = ProgressMessage(failure: StepFailure(command: "/bin/sh -c exit 4", code: 4))
        #expect(message.errorDetail?.code == 4)
        #expect(message.error == "The command '/bin/sh -c exit 4' returned a non-zero code: 4")
    }
}

@Suite struct TextTests {
    @Test(arguments: [
        (Int64(0), "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "About a minute"),
        (119, "About a minute"), (120, "2 minutes"), (3599, "59 minutes"), (3600, "About an hour"), (7200, "2 hours"),
        (86400, "24 hours"), (172_800, "2 days"), (1_209_600, "2 weeks"), (5_184_000, "2 months"),
        (63_072_000, "2 years"),
    ])
    func durationsAreSaidAsInDocker(seconds: Int64, text: String) {
        #expect(StatusText.duration(seconds: seconds) == text)
    }

    @Test(arguments: [
        ("*", "alpine", true), ("al*", "alpine:latest", true), ("*/app", "me/app", true), ("*", "me/app", false),
        ("alp?ne", "alpine", true), ("[a-c]lpine", "alpine", true), ("[^a]lpine", "alpine", false),
        ("al\\*", "al*", true), ("a*e*", "alpine:1", true), ("", "a", false),
    ])
    func referencesMatchShellPatterns(pattern: String, text: String, matches: Bool) {
        #expect(Glob.matches(pattern, text) == matches)
    }

    @Test(
        arguments: [(nil, nil), ("all", nil), ("", nil), ("junk", nil), ("0", 0), ("12", 12), ("-1", nil)]
            as [(String?, Int?)])
    func tailsThatAreNoNumberAreEverything(text: String?, count: Int?) {
        #expect(ContainerStreams.tail(text) == count)
    }

    @Test func commandsAreOneLine() {
        #expect(ContainerShape.command("sh", ["-c", "echo a b", "x"]) == "sh -c 'echo a b' x")
    }

    @Test func moreThanOneNetworkNeeds144() throws {
        let body: JSON = ["NetworkingConfig": ["EndpointsConfig": ["b": [:], "a": [:]]]]
        #expect(throws: Failure(.invalid, "")) { try CreateShaping.shape(body, version: APIVersion(1, 43)) }
        #expect(try CreateShaping.shape(body, version: APIVersion(1, 44)) == body)
    }

    @Test func buildParametersAreJSONInside() throws {
        let request = Request(
            method: .POST,
            uri:
                "/build?t=a&t=b:1&buildargs=%7B%22X%22%3A%221%22%2C%22Y%22%3Anull%7D&labels=%7B%22k%22%3A%22v%22%7D&q=1&nocache=0"
        )
        let build = try BuildQuery.request(Exchange(request: request, version: .newest, name: ""))
        #expect(build.tags == ["a", "b:1"])
        #expect(build.buildArguments == ["X": "1", "Y": nil])
        #expect(build.labels == ["k": "v"])
        #expect(build.quiet && !build.noCache)
        #expect(build.dockerfile == "Dockerfile")
    }

    @Test(arguments: ["buildargs=%7B", "labels=%5B%5D", "ulimits=%7B%7D", "memory=x"])
    func brokenBuildParametersAreRefused(query: String) {
        let request = Request(method: .POST, uri: "/build?" + query)
        #expect(throws: Failure(.invalid, "")) {
            try BuildQuery.request(Exchange(request: request, version: .newest, name: ""))
        }
    }
}
