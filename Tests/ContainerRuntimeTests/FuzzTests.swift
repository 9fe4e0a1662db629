import JSON
import Linux
import Mutation
import Testing

@testable import ContainerRuntime

/// `state.json` is ours, but a full disk or a curious hand may have been at it.
@Suite struct StateFuzzTests {
    @Test(.timeLimit(.minutes(10))) func fuzzedStatesAreReadOrCalledDamaged() throws {
        let root = "/tmp/skiff-state-\(UInt32.random(in: 0...UInt32.max))"
        try makeDirectories("\(root)/box")
        defer { try? removeTree(root) }
        let directory = StateDirectory(root: root)
        let words = ["\"pid\":", "\"id\":", "\"startTime\":\"", "null", "{}", "[]", "\"\"", "\\u0000", "../", "true"]
        try Mutator(corpus: try Mutator.corpus(), words: words).run("state") { bytes in
            try writeFile("\(root)/box/state.json", bytes)
            do {
                let state = try directory.read("box")
                #expect(state.id == "box")
                _ = directory.status(of: state)
                #expect(ContainerState(json: state.json)?.json == state.json)
            } catch let error as RuntimeFailure {
                #expect(error.description.contains("damaged"))
            }
        }
    }
}
