import Testing

@testable import HTTPServer

@Suite struct RequestMeterTests {
    private func admit(_ meter: inout RequestMeter, _ text: String) -> Int {
        Array(text.utf8).withUnsafeBytes { meter.admit($0) }
    }

    @Test func letsOneHeadThroughAndNoMore() {
        var meter = RequestMeter()
        let head = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        #expect(admit(&meter, head + "stdin") == head.utf8.count)
    }

    @Test func findsTheEndOfAHeadAcrossPieces() {
        var meter = RequestMeter()
        #expect(admit(&meter, "GET / HTTP/1.1\r\nA: b\r") == 21)
        #expect(admit(&meter, "\n\r") == 2)
        #expect(admit(&meter, "\nrest") == 1)
    }

    @Test func aCarriageReturnStartsTheMatchAgain() {
        var meter = RequestMeter()
        #expect(admit(&meter, "a\r\r\n\r\nrest") == 6)
    }

    @Test func letsExactlyTheBodyThrough() {
        var meter = RequestMeter()
        _ = admit(&meter, "POST / HTTP/1.1\r\n\r\n")
        meter.headRead(bodyLength: 5)
        #expect(admit(&meter, "abc") == 3)
        #expect(admit(&meter, "defgh") == 2)
        #expect(admit(&meter, "fgh") == 0)
    }

    @Test func holdsEverythingUntilTheAnswerIsComplete() {
        var meter = RequestMeter()
        meter.headRead(bodyLength: 0)
        meter.requestRead()
        #expect(admit(&meter, "GET") == 0)
        meter.reopen()
        #expect(admit(&meter, "GET") == 3)
    }

    @Test func rawBytesAreNotCounted() {
        var meter = RequestMeter()
        meter.requestRead()
        meter.takeOver()
        #expect(admit(&meter, "\r\n\r\nx") == 5)
        meter.reopen()
        #expect(meter.position == .raw)
    }
}

@Suite struct ConnectionStateTests {
    @Test func aRequestIsHeldBehindUntilItIsAnswered() {
        var state = ConnectionState()
        #expect(state.headRead(offersUpgrade: false) == .nothing)
        #expect(state.requestRead() == .holdInput)
        #expect(state.answerComplete() == .admitNext)
        #expect(state.phase == .idle)
    }

    @Test func anEarlyAnswerWaitsForTheRestOfTheRequest() {
        var state = ConnectionState()
        _ = state.headRead(offersUpgrade: false)
        #expect(state.answerComplete() == .nothing)
        #expect(state.requestRead() == .admitNext)
    }

    @Test func behindAnOfferedUpgradeThatWasNotTakenNothingIsAdmitted() {
        var state = ConnectionState()
        _ = state.headRead(offersUpgrade: true)
        _ = state.requestRead()
        #expect(state.answerComplete() == .nothing)
    }

    @Test(arguments: [true, false])
    func takesOverBehindACompleteRequestOnly(offersUpgrade: Bool) {
        var early = ConnectionState()
        _ = early.headRead(offersUpgrade: offersUpgrade)
        #expect(early.takeOver() == .close)

        var state = ConnectionState()
        _ = state.headRead(offersUpgrade: offersUpgrade)
        _ = state.requestRead()
        #expect(state.takeOver() == .takeOver)
        #expect(state.phase == .handingOver)
        state.handedOver()
        #expect(state.phase == .raw)
        #expect(state.answerComplete() == .nothing)
    }

    @Test func aSecondHeadBeforeTheAnswerCloses() {
        var state = ConnectionState()
        _ = state.headRead(offersUpgrade: false)
        #expect(state.headRead(offersUpgrade: false) == .close)
    }
}
