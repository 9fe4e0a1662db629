import JSON
import OCI
import Testing

@testable import ShimProtocol

@Suite struct ShimWireTests {
    static let stream = StreamOrder(input: true, output: false, errors: true, framed: true, patience: 30)
    static let exit = ExitReport(code: 137, signal: 9, oomKilled: true, at: 1_763_690_400_123_456_789)

    static let launch = LaunchOrder(
        id: "a1", directory: "/run/skiff/shims/a1",
        spec: ["ociVersion": "1.3.0", "root": ["path": "rootfs"], "linux": [:]],
        rootfs: OverlayMount(base: "/var/lib/skiff/snapshots", lower: ["2/fs", "1/fs"], upper: "3/fs", work: "3/work"),
        joinsNetwork: true, isFiltered: true, cgroup: "/skiff/a1", usesSystemd: false,
        log: LogOrder(path: "/var/log/a1", maximumSize: 1 << 40, maximumFiles: 3, attributes: ["a": "ü\n"]),
        streams: [stream, StreamOrder(input: false, output: true, errors: false, framed: false, patience: nil)],
        input: .once, usesInit: true, runtime: RuntimeProgram(path: "/usr/bin/crun"))

    /// One with what later releases added.
    static let laterLaunch: LaunchOrder = {
        var order = launch
        (order.cgroup, order.usesSystemd) = ("system.slice:skiff:a1", true)
        order.runtime = RuntimeProgram(path: "/usr/bin/runsc", arguments: ["--platform=ptrace"])
        return order
    }()

    static let requests: [ShimRequest] = [
        .launch(launch), .launch(laterLaunch), .hello, .attach(process: nil, stream: stream),
        .attach(process: "e", stream: stream),
        .exec(
            ExecOrder(
                id: "e", arguments: ["sh", "-c", ""], environment: [], workingDirectory: "/tmp", user: "1:2",
                capabilities: ["CAP_KILL"], isFiltered: false, terminal: true, rows: 24, columns: 65535,
                streams: [stream],
                input: .open)),
        .exec(
            ExecOrder(
                id: "", arguments: [], environment: nil, workingDirectory: nil, user: nil, capabilities: nil,
                isFiltered: true, terminal: false, rows: nil, columns: nil, streams: [], input: .none)),
        .signal(15, to: .initial), .signal(9, to: .all), .signal(-1, to: .exec("e")),
        .resize(process: nil, rows: 0, columns: 1), .resize(process: "e", rows: 65535, columns: 80), .pause, .resume,
        .update(["memory": ["limit": 1024]]), .processes, .forget(exec: "e"), .collect,
    ]

    static let events: [ShimEvent] = [
        .started(pid: 4711, at: 1_763_690_400_000_000_001),
        .failed(FailureReport(stage: "exec", errno: 2, path: nil, message: "exec: \"x\": not found")),
        .failed(FailureReport(stage: "mount", errno: 22, path: "/a b", message: "")), .done,
        .executing(id: "e", pid: 3), .processes([]), .processes([1, 2, .max]),
        .state(
            ShimState(
                id: "a1", pid: 7, startedAt: 5, isPaused: true, oomKilled: true, exit: exit,
                execs: [
                    ShimState.Exec(id: "e", pid: 8, exit: nil),
                    ShimState.Exec(
                        id: "f", pid: 9, exit: ExitReport(code: 0, signal: nil, oomKilled: false, at: 0)),
                ])),
        .state(ShimState(id: "", pid: 0, startedAt: 0, isPaused: false, oomKilled: false, exit: nil, execs: [])),
        .execEnded(id: "e", exit), .outOfMemory, .exited(exit), .warning("disk full"),
    ]

    @Test(arguments: requests) func everyRequestComesBackAsItWent(_ request: ShimRequest) throws {
        let datagram = ShimWire.encode(ShimWire.Tagged(tag: .max, request))
        #expect(datagram.payload == nil)
        let read = try ShimWire.decodeRequest(datagram.bytes)
        #expect(read == ShimWire.Tagged(tag: .max, request))
    }

    @Test(arguments: events) func everyEventComesBackAsItWent(_ event: ShimEvent) throws {
        let datagram = ShimWire.encode(ShimWire.Tagged(tag: 0, event))
        #expect(try ShimWire.decodeEvent(datagram.bytes) == ShimWire.Tagged(tag: 0, event))
    }

    @Test func whatIsTooLongTravelsApart() throws {
        var order = Self.launch
        order.spec["annotations"] = ["a": .string(String(repeating: "x", count: ShimWire.inlineLimit))]
        let datagram = ShimWire.encode(ShimWire.Tagged(tag: 1, ShimRequest.launch(order)))
        let payload = try #require(datagram.payload)
        #expect(datagram.bytes.count == 2)
        #expect(try ShimWire.payloadIsApart(datagram.bytes))
        #expect(try ShimWire.decodeRequest(datagram.bytes, payload: payload).message == .launch(order))
        #expect(throws: ShimWire.Malformed.self) { try ShimWire.decodeRequest(datagram.bytes) }
    }

    @Test(arguments: [
        "", "{}", "[]", "{\"tag\":1}", "{\"tag\":-1,\"do\":\"hello\"}", "{\"tag\":4294967296,\"do\":\"hello\"}",
        "{\"tag\":1,\"do\":\"format disk\"}", "{\"tag\":1,\"do\":\"signal\",\"number\":\"9\"}",
        "{\"tag\":1,\"do\":\"signal\",\"number\":99999999999}",
        "{\"tag\":1,\"do\":\"resize\",\"rows\":65536,\"columns\":1}",
        "{\"tag\":1,\"do\":\"attach\"}", "{\"tag\":1,\"do\":\"launch\",\"order\":{\"id\":\"a\"}}",
        "{\"tag\":1,\"do\":\"exec\",\"order\":{\"id\":\"a\",\"args\":[1],\"input\":\"none\"}}",
        "{\"tag\":1,\"do\":\"exec\",\"order\":{\"id\":\"a\",\"args\":[],\"input\":\"some\"}}",
        "{\"tag\":1,\"do\":\"collect\",\"all\":1} x",
    ]) func whatMakesNoSenseIsRefused(_ text: String) {
        #expect(throws: ShimWire.Malformed.self) {
            try ShimWire.decodeRequest([ShimWire.version, 0] + Array(text.utf8))
        }
    }

    @Test func anotherVersionAndShortDatagramsAreRefused() {
        for bytes: [UInt8] in [[], [1], [2, 0, 0x7b, 0x7d], [0, 0]] {
            #expect(throws: ShimWire.Malformed.self) { try ShimWire.decodeEvent(bytes) }
        }
    }

    @Test func brokenBytesNeverCrashTheReader() throws {
        var random = SystemRandomNumberGenerator()
        let samples = Self.requests.map { ShimWire.encode(ShimWire.Tagged(tag: 7, $0)).bytes }
        for _ in 0..<4000 {
            var bytes = try #require(samples.randomElement(using: &random))
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: at)
                default: bytes.removeLast(min(bytes.count - 1, 3))
                }
            }
            // Either it is read as something or refused; both are fine, nothing else is.
            if let read = try? ShimWire.decodeRequest(bytes) {
                let again = ShimWire.encode(read)
                #expect(try ShimWire.decodeRequest(again.bytes, payload: again.payload) == read)
            }
        }
    }
}
