import Testing

@testable import ContainerRuntime

/// What is said to CRIU and what it says, as bytes.
struct CRIUMessageTests {
    @Test func requestsAreTheBytesOfTheFormat() {
        #expect(CRIURequest.version.bytes == [0x08, 10])
        #expect(CRIURequest.notified(true).bytes == [0x08, 6, 0x18, 1])
        #expect(CRIURequest.notified(false).bytes == [0x08, 6, 0x18, 0])
        #expect(
            CRIURequest.features(memoryTracking: true, lazyPages: false).bytes == [0x08, 9, 0x2a, 2, 0x08, 1])
        #expect(CRIURequest.features(memoryTracking: true, lazyPages: true).bytes.last == 1)
    }

    @Test func numbersAreVarintsAndNegativeOnesAreSixtyFourBitsWide() {
        var message = ProtobufMessage()
        message.add(1, Int32(300))
        message.add(16, Int32(-1))
        message.add(2, UInt32.max)
        #expect(
            message.bytes == [
                0x08, 0xac, 2, 0x80, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0x10, 255, 255, 255, 255, 15,
            ])
        #expect(ProtobufFields(message.bytes)?.number(1) == 300)
        #expect(ProtobufFields(message.bytes)?.number(16) == -1)
    }

    @Test func everyOptionHasItsNumber() throws {
        var options = CRIUOptions(imagesDirectory: 7, logFile: "dump.log", root: "/r")
        options.pid = 42
        options.leavesRunning = true
        options.tracksMemory = true
        options.workDirectory = 8
        options.parentImages = "../a"
        options.pageServer = .init(address: "::1", port: 65535)
        options.freezer = "/f"
        options.configFile = "/c"
        options.lsmProfile = "apparmor:p"
        options.lsmMountContext = "m"
        options.externalMounts = [.init("/data", "/srv/data")]
        options.inherited = [.init(key: "pipe:[1]", number: 2)]
        options.emptyNamespaces = 0x4000_0000
        options.cgroupMode = .strict
        let request = try #require(ProtobufFields(CRIURequest.dump(options).bytes))
        #expect(request.number(1) == 1)
        let fields = try #require(request.message(2))
        #expect(fields.number(1) == 7 && fields.number(2) == 42 && fields.number(17) == 8)
        #expect(fields.flag(3) == true && fields.flag(15) == true && fields.flag(12) == true && fields.flag(50) == true)
        for absent: UInt32 in [4, 5, 6, 7, 8, 16, 18, 26, 46, 48] { #expect(fields.flag(absent) == nil) }
        #expect(fields.text(10) == "dump.log" && fields.text(13) == "/r" && fields.text(14) == "../a")
        #expect(fields.message(11)?.text(1) == "::1" && fields.message(11)?.number(2) == 65535)
        #expect(fields.message(23)?.text(1) == "/data" && fields.message(23)?.text(2) == "/srv/data")
        #expect(fields.message(27)?.text(1) == "pipe:[1]" && fields.message(27)?.number(2) == 2)
        #expect(fields.number(34) == 5 && fields.number(38) == 0x4000_0000)
        #expect(fields.text(44) == "/f" && fields.text(51) == "/c" && fields.text(53) == "apparmor:p")
        #expect(fields.text(63) == "m")
    }

    @Test func notificationsAndVersionsAreRead() throws {
        let notify = try #require(CRIUResponse([0x08, 6, 0x10, 1, 0x2a, 6, 0x0a, 1, 0x78, 0x10, 0xac, 2]))
        #expect(notify.kind == 6 && notify.success)
        #expect(notify.notification == CRIUResponse.Notification(script: "x", pid: 300))
        let version = try #require(CRIUResponse([0x08, 10, 0x10, 1, 0x52, 6, 0x08, 3, 0x10, 17, 0x20, 1]))
        #expect(version.version == CRIUVersion(3, 17, 1))
        #expect(CRIUVersion(3, 9) < CRIUVersion(3, 15) && CRIUVersion(4, 0) > CRIUVersion(3, 17, 1))
        #expect("\(CRIUVersion(3, 17, 1))" == "3.17.1")
        let failure = try #require(CRIUResponse([0x08, 1, 0x10, 0, 0x38, 3]))
        #expect(!failure.success && failure.errno == 3 && failure.notification == nil)
    }

    @Test(
        arguments: [
            [0x08], [0x08, 0x80], [0x10, 1], [0x08, 1, 0x10], [0x0a, 5, 1],
            [0x08, 1, 0x10, 1, 0x2a, 0xff, 0xff, 0xff, 0x0f],
            [0x08, 1, 0x10, 1, 0x0b], [0x00, 1], [0x08, 1, 0x10, 1, 0x29, 1, 2],
            [0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2, 0x10, 1], [],
        ] as [[UInt8]])
    func damagedResponsesAreNone(bytes: [UInt8]) { #expect(CRIUResponse(bytes) == nil) }

    @Test func fieldsNobodyKnowsArePassedOver() {
        // A fixed64, a fixed32 and text under numbers of later versions.
        let bytes: [UInt8] = [0x08, 1, 0x99, 6, 1, 2, 3, 4, 5, 6, 7, 8, 0x10, 1, 0x9d, 6, 1, 2, 3, 4, 0xa2, 6, 1, 0x78]
        #expect(CRIUResponse(bytes)?.success == true)
    }

    @Test func noiseIsReadOrRefusedButNeverRunPast() {
        var generator = SplitMix(seed: 7)
        for _ in 0..<20000 {
            let bytes = (0..<Int.random(in: 0...24, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            if let fields = ProtobufFields(bytes) { _ = (fields.number(1), fields.text(2), fields.message(2)) }
        }
    }

    /// Numbers that are the same each time.
    private struct SplitMix: RandomNumberGenerator {
        private var state: UInt64
        init(seed: UInt64) { state = seed }
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
    }
}

struct CRIULogTests {
    private let log = Array(
        """
        (00.000001) Version: 3.17.1
        (00.342393) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established option.
        (00.342399) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established option.
        (00.343000)      1: Error (criu/image.c:475): Unable to open tty-info.img
        (00.344935) Error (criu/cr-dump.c:2053): Dumping FAILED.
        """.utf8)

    @Test func theCausesAreQuoted() {
        #expect(
            CRIULog.errors(in: log) == [
                "Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established option.",
                "Error (criu/image.c:475): Unable to open tty-info.img",
            ])
        #expect(CRIULog.errors(in: log, limit: 1) == ["Error (criu/image.c:475): Unable to open tty-info.img"])
        #expect(
            CRIULog.explanation("criu failed", file: "/i/dump.log", log: log)
                .hasSuffix("tty-info.img; all of it is in /i/dump.log"))
        #expect(CRIULog.explanation("criu failed", file: "/i/dump.log", log: []) == "criu failed")
    }

    @Test func aLineOfAnyLengthIsCut() {
        let errors = CRIULog.errors(in: Array("Error (a:1): ".utf8) + [UInt8](repeating: 0xff, count: 100_000))
        #expect(errors.count == 1 && errors[0].unicodeScalars.count <= 512)
    }
}
