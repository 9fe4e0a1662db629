import NIOCore
import Testing

@testable import HTTPServer

/// Where the pieces of a body go, decided without a connection.
@Suite struct BodyDiversionTests {
    private final class Sink: BodySink {
        let answer: BodyDemand
        init(_ answer: BodyDemand) { self.answer = answer }
        func take(_ bytes: ByteBuffer) -> BodyDemand { answer }
        func whenRoom(_ action: @escaping @Sendable () -> Void) {}
    }

    /// What is done, in words.
    private func words(_ actions: [BodyDiversion.Action]) -> [String] {
        actions.map { action in
            switch action {
            case .deliver(let parts):
                parts.map { part in
                    switch part {
                    case .body(let bytes): String(buffer: bytes)
                    case .mark: "mark"
                    case .end: "end"
                    case .head, .bytes: "?"
                    }
                }.joined(separator: " ")
            case .await: "await"
            case .read: "read"
            }
        }
    }

    private func piece(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }

    @Test func piecesAreTheTasksUntilItAsks() {
        var body = BodyDiversion()
        body.headRead()
        #expect(body.isOff && !body.holdsReads)
        #expect(words(body.piece(piece("a"))) == ["a"])
        #expect(words(body.bodyEnded()) == ["end", "read"])
        #expect(words(body.hold()).isEmpty, "there is nothing left to hold")
    }

    @Test func heldPiecesGoToTheSinkAndTheEndComesBehindThem() {
        var body = BodyDiversion()
        body.headRead()
        #expect(words(body.hold()) == ["mark"])
        #expect(body.holdsReads)
        #expect(words(body.piece(piece("a"))).isEmpty)
        #expect(words(body.bodyEnded()).isEmpty)
        #expect(words(body.pour(into: Sink(.full))) == ["end", "read"])
        #expect(body.isOff && !body.holdsReads)
    }

    @Test func aFullSinkStopsReadingUntilThereIsRoom() {
        var body = BodyDiversion()
        body.headRead()
        _ = body.hold()
        #expect(words(body.pour(into: Sink(.full))) == ["read"], "nothing was given yet")
        #expect(words(body.piece(piece("a"))) == ["await"])
        #expect(body.holdsReads)
        #expect(words(body.roomMade()) == ["read"])
        #expect(!body.holdsReads)
        #expect(words(body.roomMade()).isEmpty)
        #expect(words(body.bodyEnded()) == ["end", "read"])
    }

    @Test func aSinkThatIsLeftGivesTheRestBack() {
        var body = BodyDiversion()
        body.headRead()
        _ = body.hold()
        _ = body.piece(piece("a"))
        _ = body.piece(piece("b"))
        #expect(words(body.pour(into: Sink(.nothing))) == ["b mark", "read"])
        #expect(words(body.piece(piece("c"))) == ["c"])
    }

    @Test func aTaskThatChangesItsMindGetsWhatWasHeld() {
        var body = BodyDiversion()
        body.headRead()
        _ = body.hold()
        _ = body.piece(piece("a"))
        _ = body.bodyEnded()
        #expect(words(body.pour(into: nil)) == ["a", "end", "read"])
    }
}
