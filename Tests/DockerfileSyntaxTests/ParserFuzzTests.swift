import Testing

@testable import DockerfileSyntax

/// Whatever the bytes are, the parser ends with a Dockerfile or a line number.
@Suite struct ParserFuzzTests {
    /// The same numbers on every machine: a failure names its seed.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) ^ (state << 31)
        }
    }

    private static let pieces = [
        "FROM ", "RUN ", "COPY ", "ADD ", "ENV ", "ARG ", "ONBUILD ", "HEALTHCHECK ", "LABEL ", "SHELL ", "x", "a=b",
        "$A", "${A:-", "${A//", "}",
        "\\", "`", "\n", "\r\n", "#", "# escape=`\n", "\"", "'", "[", "]", ",", "{", "<<EOF", "<<-'E'", "EOF\n", "E\n",
        " ", "\t", "--from=", "--mount=type=",
        "--", "=", "[\"a\"]", "/", "*", "é", "\u{0}", "AS ", "\u{feff}", "1", "%", "#", "?",
    ]

    @Test(arguments: 0..<40) func endsAlways(_ seed: Int) {
        var generator = Generator(state: UInt64(seed) &* 7919 &+ 1)
        for _ in 0..<150 {
            var bytes: [UInt8] = Bool.random(using: &generator) ? Array("FROM x\n".utf8) : []
            for _ in 0..<Int.random(in: 0..<40, using: &generator) {
                if Int.random(in: 0..<12, using: &generator) == 0 {
                    bytes.append(UInt8.random(in: 0...255, using: &generator))
                } else {
                    bytes += Self.pieces[Int.random(in: 0..<Self.pieces.count, using: &generator)].utf8
                }
            }
            let lines = bytes.count { $0 == 10 } + 1
            do {
                let file = try Dockerfile.parse(bytes)
                #expect(!file.stages.isEmpty)
                for stage in file.stages {
                    for instruction in stage.instructions {
                        #expect(instruction.range.first >= 1 && instruction.range.last <= lines)
                        _ = try? Expansion { _ in "v" }.words(instruction.text)
                    }
                }
            } catch {
                #expect(error.line >= 1 && error.line <= lines, "seed \(seed)")
            }
        }
    }
}
