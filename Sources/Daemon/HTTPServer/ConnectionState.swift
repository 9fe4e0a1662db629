/// Where a connection stands, and what must happen next: decisions only.
///
/// ```
/// idle ─head→ receiving ─end→ answering ─answer complete→ idle
///                │                 └─take over→ handingOver ─parser gone→ raw
///                └─answer complete→ (early) ─end→ idle
/// ```
struct ConnectionState: Equatable {
    enum Phase: Equatable {
        case idle
        case receiving(answered: Bool)
        case answering
        case handingOver
        case raw
    }

    enum Action: Equatable {
        case nothing
        /// Hold what comes until the answer is complete.
        case holdInput
        /// Let the next request in.
        case admitNext
        /// Remove encoder and parser, in this order, then deliver raw bytes.
        case takeOver
        /// The order of events is a fault of ours or the peer's: close.
        case close
    }

    private(set) var phase = Phase.idle
    /// The parser stops for good behind a request that offers an upgrade (`HTTPDecoder.stopParsing`).
    private(set) var parserStops = false

    var isRaw: Bool { phase == .raw || phase == .handingOver }

    mutating func headRead(offersUpgrade: Bool) -> Action {
        guard phase == .idle else { return .close }
        phase = .receiving(answered: false)
        parserStops = offersUpgrade
        return .nothing
    }

    mutating func requestRead() -> Action {
        switch phase {
        case .receiving(answered: false):
            phase = .answering
            return .holdInput
        case .receiving(answered: true): return finish()
        case .idle, .answering, .handingOver, .raw: return .close
        }
    }

    mutating func answerComplete() -> Action {
        switch phase {
        case .answering: return finish()
        case .receiving:
            phase = .receiving(answered: true)
            return .nothing
        case .idle, .handingOver, .raw: return .nothing
        }
    }

    mutating func takeOver() -> Action {
        guard phase == .answering else { return .close }
        phase = .handingOver
        return .takeOver
    }

    mutating func handedOver() { if phase == .handingOver { phase = .raw } }

    /// Behind an offered upgrade that was not taken nothing can be read any more: whoever answers closes.
    private mutating func finish() -> Action {
        phase = .idle
        return parserStops ? .nothing : .admitNext
    }
}
