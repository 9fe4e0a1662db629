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

    /// What is set aside is what would have been read, and the rest is the rest.
    @Test(.timeLimit(.minutes(10))) func aMemberIsSetAsideAsItWouldBeRead() throws {
        let words = [
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\\"", "\"linux\":", "\"seccomp\":", "\"linux\":{\"seccomp\":{",
            "null", "\"}\"",
        ]
        let corpus = [
            #"{"linux":{"seccomp":{"a":["}"]},"b":1},"c":{"seccomp":{}}}"#,
            #"{"linux":{"seccomp":{},"seccomp":{"x":"\\\""}}}"#, #"{"linux":null,"linux":{"seccomp":[]}}"#,
        ].map { Array($0.utf8) }
        try Mutator(corpus: corpus, words: words).run("aside") { bytes in
            guard let whole = try? JSON.parse(bytes) else { return }
            let (rest, aside) = try JSON.parse(bytes, settingAside: ["linux", "seccomp"])
            var expected = whole
            if let aside {
                let taken = try JSON.parse(Array(bytes[aside]))
                #expect(taken == whole["linux"]?["seccomp"])
                expected["linux"]?["seccomp"] = nil
            } else {
                #expect(whole["linux"]?["seccomp"]?.objectValue == nil)
            }
            // Of several members of one name it is the last that counts, and the first that says where.
            #expect(
                Set(rest["linux"]?.objectValue?.map(\.key) ?? [])
                    == Set(expected["linux"]?.objectValue?.map(\.key) ?? []))
            if aside == nil { #expect(rest == whole) }
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
