import Testing

@testable import DockerfileSyntax

@Suite struct LexerTests {
    private func lines(_ text: String) throws -> [LogicalLine] {
        var lexer = Lexer(Array(text.utf8))
        return try lexer.lines()
    }

    @Test func joinsContinuedLinesAndSkipsCommentsBetween() throws {
        let found = try lines("# hello\nFROM x\n\nRUN a \\\n  # not this\n  && b\\\n\n  && c  \nCMD d\n")
        #expect(found.map(\.text) == ["FROM x", "RUN a   && b  && c  ", "CMD d"])
        #expect(found.map(\.range) == [SourceRange(2, 2), SourceRange(4, 8), SourceRange(9, 9)])
    }

    @Test func warnsOfEmptyContinuationLines() throws {
        var lexer = Lexer(Array("RUN a \\\n\n b".utf8))
        _ = try lexer.lines()
        #expect(lexer.warnings == ["empty continuation line found in line 2"])
    }

    @Test func takesWindowsLineEndsAndByteOrderMarks() throws {
        var lexer = Lexer([0xef, 0xbb, 0xbf] + Array("FROM x\r\nRUN a \\\r\n b\r\n".utf8))
        #expect(try lexer.lines().map(\.text) == ["FROM x", "RUN a  b"])
    }

    @Test func doubledBackslashDoesNotContinue() throws {
        #expect(try lines("RUN a\\\\\nCMD b").map(\.text) == ["RUN a\\\\", "CMD b"])
    }

    @Test func directivesCountOnlyAtTheTop() throws {
        var lexer = Lexer(Array("# syntax=docker/dockerfile:1\n#escape=`\nRUN a `\n b\\\nCMD c".utf8))
        #expect(try lexer.lines().map(\.text) == ["RUN a  b\\", "CMD c"])
        #expect(lexer.directives.syntax == "docker/dockerfile:1")
        #expect(try lines("# a comment\n# escape=`\nRUN a `\nCMD b").map(\.text) == ["RUN a `", "CMD b"])
    }

    @Test(arguments: ["# escape=`\n# escape=`\nFROM x", "# escape=x\nFROM x"])
    func refusesBrokenDirectives(_ text: String) {
        #expect(throws: DockerfileError.self) { try lines(text) }
    }

    @Test func gathersHereDocuments() throws {
        let found = try lines("FROM x\nRUN <<A cat <<-\"B\" > /x\none $v\nA\n\ttwo\n\tB\nCOPY <<EOF /f\nEOF\nCMD z")
        #expect(found.map(\.text) == ["FROM x", "RUN <<A cat <<-\"B\" > /x", "COPY <<EOF /f", "CMD z"])
        #expect(
            found[1].heredocs == [
                Heredoc(name: "A", stripsTabs: false, expands: true, content: "one $v\n"),
                Heredoc(name: "B", stripsTabs: true, expands: false, content: "\ttwo\n"),
            ])
        #expect(found[1].heredocs[1].text == "two\n")
        #expect(found[2].heredocs.first?.content == "")
        #expect(found[1].range == SourceRange(2, 6))
    }

    @Test(arguments: [
        "RUN [\"echo\", \"<<EOF\"]", "RUN echo \"a <<EOF b\"", "RUN echo $((1<<2))", "CMD cat <<EOF", "RUN cat << EOF",
    ])
    func seesNoHereDocumentWhereThereIsNone(_ line: String) throws {
        #expect(try lines(line + "\nCMD x").count == 2)
    }

    @Test func namesTheLineOfAnOpenHereDocument() {
        #expect {
            try lines("FROM x\nRUN <<EOF\nabc\n")
        } throws: {
            "\($0)" == "dockerfile parse error on line 2: unterminated heredoc: no line \"EOF\" follows"
        }
    }
}
