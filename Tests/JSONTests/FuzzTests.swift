import JSON
import Mutation
import Testing

@Suite struct JSONFuzzTests {
    @Test(.timeLimit(.minutes(10))) func fuzzedTextsAreReadOrRefused() throws {
        let words = [
            "[", "]", "{", "}", ",", ":", "\"", "\\", "\\u", "\\ud800", "\\udc00", "\u{2028}", "null", "tru",
            "[[[[[[[[",
            "{\"\":{\"\":",
        ]
        try Mutator(corpus: try Mutator.corpus(), words: words).run("json") { bytes in
            guard let read = try? JSON.parse(bytes) else { return }
            // The text, not the tree: 1.5e3 was read as a fraction, and is written as the whole number that it is.
            let copy = try JSON.parse(read.serialized())
            #expect(copy.serialized() == read.serialized())
        }
    }

    @Test func depthIsBounded() {
        for depth in [1000, 100_000] {
            #expect(throws: (any Error).self) {
                try JSON.parse([UInt8](repeating: UInt8(ascii: "["), count: depth))
            }
            let whole = Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
            #expect(throws: (any Error).self) { try JSON.parse(whole) }
        }
    }
}
