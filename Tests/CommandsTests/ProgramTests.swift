internal import CLinux
internal import DockerAPI
internal import EngineClient
internal import FakeEngine
internal import JSON
internal import Linux
internal import Synchronization
internal import Testing

@testable internal import Commands

/// What the program writes and returns for what is typed, against an engine as the test wants it.
@Suite("Program")
struct ProgramTests {
    private struct Outcome {
        var code: ExitCode
        var output: String
        var error: String
    }

    private func run(_ engine: FakeEngine?, _ words: String..., home: String = "/nonexistent") -> Outcome {
        let output = Mutex<[UInt8]>([])
        let error = Mutex<[UInt8]>([])
        let host = engine?.endpoint.description ?? "unix:///nonexistent.sock"
        let console = Console(
            input: -1, outputIsTerminal: false, errorIsTerminal: false,
            output: { bytes in
                let copy = Array(bytes)
                output.withLock { $0 += copy }
                return true
            },
            error: { bytes in
                let copy = Array(bytes)
                error.withLock { $0 += copy }
                return true
            })
        let code = Dispatcher(console: console, environment: Environment(["SKIFF_HOST": host, "HOME": home])).run(words)
        return Outcome(
            code: code, output: String(decoding: output.withLock { $0 }, as: UTF8.self),
            error: String(decoding: error.withLock { $0 }, as: UTF8.self))
    }

    /// An engine with one image and containers that say something and end.
    private func engine(
        exitCode: Int = 0, startFailure: String? = nil, exec: String = "{}", requests: RequestLog = RequestLog()
    ) throws -> FakeEngine {
        try FakeEngine { socket in
            while true {
                let head = FakeEngine.head(socket)
                guard !head.isEmpty else { return }
                let line = String(head.prefix { !$0.isNewline })
                let body = FakeEngine.body(socket, head)
                let path = requests.add(line)
                if path.hasPrefix("POST /containers/create") {
                    let image = (try? JSON.parse(body))?["Image"]?.stringValue ?? ""
                    if image == "missing" {
                        FakeEngine.answer(socket, "404 Not Found", #"{"message":"No such image: missing:latest"}"#)
                    } else {
                        FakeEngine.answer(socket, "201 Created", #"{"Id":"c0ffee","Warnings":["mind"]}"#)
                    }
                } else if path.hasPrefix("POST /containers/c0ffee/attach") {
                    FakeEngine.send(
                        socket,
                        "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n\r\n")
                    requests.waitForStart()
                    for frame in [
                        StdcopyFrame(stream: .stdout, payload: Array("out\n".utf8)),
                        StdcopyFrame(stream: .stderr, payload: Array("err\n".utf8)),
                    ] { try? writeAll(socket, frame.bytes) }
                    return
                } else if path.hasPrefix("POST /containers/c0ffee/wait") {
                    FakeEngine.send(
                        socket,
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
                    requests.waitForStart()
                    let answer = #"{"StatusCode":\#(exitCode)}"#
                    FakeEngine.send(socket, "\(String(answer.utf8.count, radix: 16))\r\n\(answer)\r\n0\r\n\r\n")
                } else if path.hasPrefix("POST /containers/c0ffee/start") {
                    if let startFailure {
                        FakeEngine.answer(
                            socket, "400 Bad Request", JSON.object(["message": .string(startFailure)]).text)
                    } else {
                        FakeEngine.send(socket, "HTTP/1.1 204 No Content\r\n\r\n")
                    }
                    requests.start()
                } else if path.hasPrefix("POST /containers/boat/exec") {
                    FakeEngine.answer(socket, "201 Created", #"{"Id":"e1"}"#)
                } else if path.hasPrefix("POST /exec/e1/start") {
                    FakeEngine.send(
                        socket,
                        "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n\r\n")
                    try? writeAll(socket, StdcopyFrame(stream: .stdout, payload: Array("in\n".utf8)).bytes)
                    return
                } else if path.hasPrefix("GET /exec/e1/json") {
                    FakeEngine.answer(socket, "200 OK", exec)
                } else if path.hasPrefix("GET /containers/json") {
                    FakeEngine.answer(
                        socket, "200 OK",
                        #"[{"Id":"0123456789abcdef","Names":["/web"],"Image":"nginx","ImageID":"sha256:1","Command":"nginx -g 'daemon off;'","Created":1,"State":"running","Status":"Up 5 minutes","Ports":[{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8080,"Type":"tcp"}],"Labels":{"a":"b"}}]"#
                    )
                } else {
                    FakeEngine.answer(socket, "404 Not Found", #"{"message":"No such thing"}"#)
                }
            }
        }
    }

    @Test("run shows both outputs where they belong and ends with the container's code")
    func runAttached() throws {
        let requests = RequestLog()
        let outcome = run(
            try engine(exitCode: 3, requests: requests), "run", "--sig-proxy=false", "alpine", "echo", "out")
        #expect(outcome.code == ExitCode(3))
        #expect(outcome.output == "out\n")
        #expect(outcome.error == "WARNING: mind\nerr\n")
        // Attach and wait are heard of before the container can say anything.
        #expect(
            requests.paths == [
                "POST /containers/create", "POST /containers/c0ffee/attach?stream=1&stdout=1&stderr=1",
                "POST /containers/c0ffee/wait?condition=next-exit", "POST /containers/c0ffee/start",
            ])
    }

    @Test(
        "exec ends with the command's code, and with an error where the engine knows none",
        arguments: [
            (#"{"Running":false,"ExitCode":0}"#, 0, false), (#"{"Running":false,"ExitCode":4}"#, 4, false),
            (#"{"Running":true,"ExitCode":null}"#, 1, true), (#"{"Running":true,"ExitCode":0}"#, 1, true),
            (#"{"Running":false,"ExitCode":null}"#, 1, true),
        ] as [(String, Int32, Bool)])
    func execEnds(state: String, code: Int32, isUnknown: Bool) throws {
        let outcome = run(try engine(exec: state), "exec", "boat", "echo", "in")
        #expect(outcome.code == ExitCode(code))
        #expect(outcome.output == "in\n")
        #expect(outcome.error.contains("the engine knows no exit code") == isUnknown)
    }

    @Test("run -d prints the id")
    func runDetached() throws {
        let outcome = run(try engine(), "run", "-d", "--name", "x", "alpine")
        #expect(outcome.code == .success && outcome.output == "c0ffee\n")
    }

    @Test(
        "a start that fails tells why by its code",
        arguments: [
            (#"exec: "nope": executable file not found in $PATH"#, 127), ("exec /x: permission denied", 126),
            ("Bind for 0.0.0.0:80 failed: port is already allocated", 125),
        ] as [(String, Int32)])
    func startFailures(message: String, code: Int32) throws {
        for words in [["run", "-d", "alpine"], ["run", "--sig-proxy=false", "alpine"]] {
            let engine = try engine(startFailure: message)
            let outcome =
                words.count == 3 && words[1] == "-d"
                ? run(engine, "run", "-d", "alpine") : run(engine, "run", "--sig-proxy=false", "alpine")
            #expect(outcome.code == ExitCode(code))
            #expect(outcome.error.contains("skiff: Error response from daemon: \(message)"))
        }
    }

    @Test("an image that may not be fetched is the engine's failure")
    func neverPull() throws {
        let outcome = run(try engine(), "run", "--pull", "never", "missing")
        #expect(outcome.code == .engine)
        #expect(outcome.error.contains("No such image: missing:latest"))
    }

    @Test("ps shows Docker's table, ids and templates")
    func list() throws {
        let table = run(try engine(), "ps").output.split(separator: "\n").map(String.init)
        #expect(
            table.first
                == "CONTAINER ID   IMAGE     COMMAND                  CREATED        STATUS         PORTS                  NAMES"
        )
        #expect(table.last?.hasPrefix("0123456789ab   nginx     \"nginx -g 'daemon of…\"   ") == true)
        #expect(table.last?.hasSuffix("Up 5 minutes   0.0.0.0:8080->80/tcp   web") == true)
        #expect(run(try engine(), "ps", "-q", "--no-trunc").output == "0123456789abcdef\n")
        #expect(run(try engine(), "container", "ls", "--format", "{{.Names}} {{.Label \"a\"}}").output == "web b\n")
    }

    @Test(
        "what goes wrong is one clear line and the right code",
        arguments: [
            (
                ["ps"], 1,
                "cannot connect to the Skiff daemon at unix:///nonexistent.sock (no such file or directory): start skiffd, or name another engine with -H or SKIFF_HOST\n"
            ),
            (
                ["-H", "nonsense", "ps"], 1,
                "unable to parse docker host nonsense: want unix://path or tcp://host:port\n"
            ),
            (
                ["frobnicate"], 1,
                "skiff: unknown command: skiff frobnicate\n\nRun 'skiff --help' for more information\n"
            ),
            (
                ["network", "frobnicate"], 1,
                "skiff: unknown command: skiff network frobnicate\n\nUsage:  skiff network\n\nRun 'skiff network --help' for more information\n"
            ),
            (
                ["run", "--frob", "x"], 125,
                "unknown flag: --frob\n\nUsage:  skiff run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun 'skiff run --help' for more information\n"
            ),
            (
                ["rm"], 1,
                "skiff: 'skiff rm' requires at least 1 argument\n\nUsage:  skiff rm [OPTIONS] CONTAINER [CONTAINER...]\n\nRun 'skiff rm --help' for more information\n"
            ),
            (["tag", "a", "B c"], 1, "invalid reference format: repository name (library/B c) must be lowercase\n"),
            (["build", "/nonexistent"], 1, "unable to prepare context: path \"/nonexistent\" not found\n"),
            (["run", "-it", "x"], 1, "the input device is not a TTY\n"),
        ] as [([String], Int32, String)])
    func failures(words: [String], code: Int32, text: String) {
        let error = Mutex<[UInt8]>([])
        let console = Console(
            input: -1, outputIsTerminal: false, errorIsTerminal: false, output: { _ in true },
            error: { bytes in
                let copy = Array(bytes)
                error.withLock { $0 += copy }
                return true
            })
        let environment = Environment(["SKIFF_HOST": "unix:///nonexistent.sock", "HOME": "/nonexistent"])
        #expect(Dispatcher(console: console, environment: environment).run(words) == ExitCode(code))
        #expect(String(decoding: error.withLock { $0 }, as: UTF8.self) == text)
    }
}

/// What a fake engine was asked, and whether the container was started.
final class RequestLog: Sendable {
    private let lines = Mutex<[String]>([])
    private let started = Flag()

    var paths: [String] { lines.withLock { $0 } }

    /// - Returns: method and path without the version.
    func add(_ line: String) -> String {
        let words = line.split(separator: " ")
        let path = "\(words[0]) /\(words[1].split(separator: "/", maxSplits: 1).last ?? "")"
        lines.withLock { $0.append(path) }
        return path
    }

    func start() { started.set() }

    /// Waits as a container's output does: until it has been started.
    func waitForStart() { while !started.isSet { sched_yield() } }
}
