import JSON
import Linux
import Mutation
import Testing

@testable import ShimProtocol

/// What earlier releases sent, kept as it was: a daemon of today talks to shims that are as old as their containers.
@Suite struct CorpusTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        var isRequest: Bool
        var datagram: [UInt8]
        var testDescription: String { String(decoding: datagram.dropFirst(2), as: UTF8.self) }
    }

    static let first: [Sample] = {
        let text = (try? Mutator.corpus().first).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let parts = line.split(separator: " ", maxSplits: 3)
            let head = parts[1...2].map { UInt8($0, radix: 16) ?? 0xff }
            return Sample(isRequest: parts[0] == "request", datagram: head + Array(parts[3].utf8))
        }
    }()

    @Test func theCorpusIsThere() {
        #expect(Self.first.count(where: \.isRequest) == 17)
        #expect(Self.first.count { !$0.isRequest } == 13)
    }

    /// What is read today is what was meant then, and what was meant then is still written in words that were known then.
    @Test(arguments: first) func theFirstReleaseIsUnderstood(_ sample: Sample) throws {
        if sample.isRequest {
            let read = try ShimWire.decodeRequest(sample.datagram)
            #expect(ShimWireTests.requests.contains(read.message))
            #expect(ShimDialect.first.understands(read.message))
            #expect(ShimWire.encode(read).bytes == sample.datagram)
        } else {
            let read = try ShimWire.decodeEvent(sample.datagram)
            if case .state(let state) = read.message {
                #expect(state.dialect == .first, "a shim of the first release tells nothing of what it knows")
            } else {
                #expect(ShimWireTests.events.contains(read.message))
                #expect(ShimWire.encode(read).bytes == sample.datagram)
            }
        }
    }

    /// The other direction: members that a later release adds are passed over.
    @Test(arguments: first) func membersNobodyKnowsAreIgnored(_ sample: Sample) throws {
        let text = String(decoding: sample.datagram.dropFirst(2), as: UTF8.self)
        let more = Array(sample.datagram.prefix(2)) + Array("{\"later\":{\"x\":[1,null]},\(text.dropFirst())".utf8)
        if sample.isRequest {
            #expect(try ShimWire.decodeRequest(more) == ShimWire.decodeRequest(sample.datagram))
        } else {
            #expect(try ShimWire.decodeEvent(more) == ShimWire.decodeEvent(sample.datagram))
        }
    }

    @Test func whatALaterReleaseAsksIsRefusedUnderItsTag() {
        for text in ["{\"tag\":9,\"do\":\"teleport\"}", "{\"tag\":9,\"do\":\"resize\",\"rows\":\"x\"}"] {
            let refused = #expect(throws: ShimWire.Malformed.self) {
                try ShimWire.decodeRequest([1, 0] + Array(text.utf8))
            }
            #expect(refused?.tag == 9)
        }
        let refused = #expect(throws: ShimWire.Malformed.self) { try ShimWire.decodeRequest([1, 0, 0x7b]) }
        #expect(refused?.tag == 0)
    }

    @Test func everyRequestIsInTheDialectOfToday() {
        for request in ShimWireTests.requests { #expect(ShimDialect.current.understands(request), "\(request.name)") }
        #expect(!ShimDialect(revision: 1, requests: ["hello"]).understands(.pause))
    }

    @Test(.timeLimit(.minutes(10))) func fuzzedDatagramsAreReadOrRefused() throws {
        let mutator = Mutator(
            corpus: Self.first.map(\.datagram),
            words: [
                "\"tag\":", "\"do\":", "\"is\":", "{", "}", "[", "]", "null", "true", "\\u0000", "\"launch\"",
                "\u{1}\u{1}",
            ])
        try mutator.run("shim-protocol") { bytes in
            if let read = try? ShimWire.decodeRequest(bytes, payload: bytes.count > 40 ? Array(bytes[2...]) : nil) {
                let again = ShimWire.encode(read)
                let copy = try ShimWire.decodeRequest(again.bytes, payload: again.payload)
                // As text: a number in a document may be read as a fraction and written as a whole one.
                #expect(ShimWire.encode(copy) == again)
            }
            if let read = try? ShimWire.decodeEvent(bytes) {
                let again = ShimWire.encode(read)
                let copy = try ShimWire.decodeEvent(again.bytes, payload: again.payload)
                #expect(copy == read)
            }
        }
    }
}
