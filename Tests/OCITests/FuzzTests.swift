import Failures
import JSON
import Mutation
import OCI
import Testing

/// A bundle's `config.json` comes from anybody.
@Suite struct RuntimeSpecFuzzTests {
    static func samples() throws -> [[UInt8]] { try Mutator.corpus() }

    @Test func everySampleIsReadAndWrittenTheSame() throws {
        for bytes in try Self.samples() {
            let spec = try RuntimeSpec(json: try JSON.parse(bytes))
            #expect(try RuntimeSpec(json: spec.json) == spec)
        }
    }

    @Test(.timeLimit(.minutes(10))) func fuzzedDocumentsAreReadOrRefused() throws {
        let words = [
            "\"linux\":{", "\"process\":{", "\"args\":[", "null", "true", "[]", "{}", "\"\"", "\"type\":", "\"mount\"",
            "\"user\"", "\"limit\":", "\\u0000", "\\n", "/../", "\"SCMP_ACT_NOTIFY\"", "\"RLIMIT_\"", "\"CAP_\"",
        ]
        try Mutator(corpus: try Self.samples(), words: words).run("config") { bytes in
            guard let json = try? JSON.parse(bytes) else { return }
            do {
                let spec = try RuntimeSpec(json: json)
                // What was read can be written, and is then the same.
                #expect(try RuntimeSpec(json: spec.json) == spec)
            } catch let error as Failure {
                #expect(error.kind == .invalid && !error.message.isEmpty && !error.message.contains("\n"))
            }
        }
    }
}
