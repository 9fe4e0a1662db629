public import NIOCore

/// Takes a body on the connection's event loop, as it comes off the wire.
public protocol BodySink: Sendable {
    /// Takes a piece, whatever it answers; never blocks.
    func take(_ bytes: ByteBuffer) -> BodyDemand

    /// Runs `action` once, on any thread, when there is room again or nobody reads any more; at once if that is so now.
    func whenRoom(_ action: @escaping @Sendable () -> Void)
}

/// What a sink says behind a piece.
public enum BodyDemand: Sendable, Hashable {
    case more
    /// No more until there is room.
    case full
    /// Nobody reads any more: the rest is the connection's again.
    case nothing
}

/// Where the pieces of a body go: to the connection's task, or past it to a sink.
///
/// Decisions only.
///
/// ```
/// off ─hold→ holding ─pour→ pouring ⇄ full
///  ▲            │              └─ nobody reads, or the end → off
///  └─ let go ───┘
/// ```
/// A task that is woken for each piece of a large body costs more than the bytes do. Pieces that came before the change
/// lie in the task's queue already: it takes those first, up to a mark, while the handler holds what follows.
struct BodyDiversion {
    enum Phase {
        case off
        case holding([ByteBuffer])
        case pouring(any BodySink)
        case full(any BodySink)
    }

    enum Action {
        /// For the task, in this order.
        case deliver([ConnectionInput])
        /// Reads no more until the sink has room.
        case await(any BodySink)
        /// Reads that were held go on.
        case read
    }

    private(set) var phase = Phase.off
    /// Between a head and the end of its body.
    private var isOpen = false
    /// The body ended while its pieces were held: its end goes to the task behind them.
    private var endHeld = false

    /// Whether pieces are simply for the task.
    var isOff: Bool { if case .off = phase { true } else { false } }

    /// Whether reading must wait.
    var holdsReads: Bool {
        switch phase {
        case .holding, .full: true
        case .off, .pouring: false
        }
    }

    mutating func headRead() { isOpen = true }

    mutating func bodyEnded() -> [Action] {
        isOpen = false
        if case .holding = phase {
            endHeld = true
            return []
        }
        phase = .off
        return [.deliver([.end]), .read]
    }

    mutating func piece(_ bytes: ByteBuffer) -> [Action] {
        switch phase {
        case .off: return [.deliver([.body(bytes)])]
        case .holding(var pieces):
            phase = .off
            pieces.append(bytes)
            phase = .holding(pieces)
            return []
        case .pouring(let sink), .full(let sink): return give([bytes], to: sink)
        }
    }

    /// The task wants no more pieces in its queue; nothing to do when it has them all.
    mutating func hold() -> [Action] {
        guard isOpen, case .off = phase else { return [] }
        phase = .holding([])
        return [.deliver([.mark])]
    }

    /// The task has emptied its queue: what was held and what comes goes to `sink`, or back to the task.
    mutating func pour(into sink: (any BodySink)?) -> [Action] {
        guard case .holding(let pieces) = phase else { return [] }
        phase = .off
        var actions: [Action] = []
        if let sink { actions = give(pieces, to: sink) } else { actions = [.deliver(pieces.map { .body($0) })] }
        guard endHeld else { return actions + (holdsReads ? [] : [.read]) }
        endHeld = false
        if case .full = phase { actions = [] }
        phase = .off
        return actions + [.deliver([.end]), .read]
    }

    /// The sink has room.
    mutating func roomMade() -> [Action] {
        guard case .full(let sink) = phase else { return [] }
        phase = .pouring(sink)
        return [.read]
    }

    private mutating func give(_ pieces: [ByteBuffer], to sink: any BodySink) -> [Action] {
        var demand = BodyDemand.more
        for (index, piece) in pieces.enumerated() {
            demand = sink.take(piece)
            if demand == .nothing {
                phase = .off
                return [.deliver(pieces[(index + 1)...].map { .body($0) } + [.mark])]
            }
        }
        if demand == .full {
            phase = .full(sink)
            return [.await(sink)]
        }
        phase = .pouring(sink)
        return []
    }
}
