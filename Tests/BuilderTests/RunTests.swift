import CLinux
import DockerfileSyntax
import Failures
import Images
import Linux
import NIOCore
import OCI
import Storage
import Testing

@testable import Builder

/// Builds whose steps are processes.
///
/// Root, busybox and the shim.
@Suite(.enabled(if: BuildFixture.runsProcesses)) struct RunTests {
    private func build(
        _ text: String, _ files: [(String, String)] = [],
        _ body: @escaping @Sendable (BuildFixture, BuildFixture.Outcome) async throws -> Void
    ) async throws {
        let all = [("Dockerfile", "FROM busybox\n" + text)] + files
        try await BuildFixture.with { fixture in
            try await fixture.makeBusybox()
            try await body(fixture, try await fixture.build(all))
        }
    }

    private func output(_ outcome: BuildFixture.Outcome) -> String {
        outcome.events.compactMap { if case .output(.stdout, let bytes) = $0 { bytes.text } else { nil } }.joined()
    }

    @Test func keepsWhatAStepChanged() async throws {
        try await build(
            "WORKDIR /w\nENV A=b\nRUN echo $A > f && rm /bin/wc && mkdir d\nUSER app\nRUN id -u; echo oops >&2\nRUN [\"echo\", \"$A\"]"
        ) {
            fixture, outcome in
            let files = try fixture.files(outcome)
            #expect(files["w/f"] == "644 0:0 b\n")
            #expect(files["w/d/"] == "755 0:0")
            #expect(files["bin/wc"] == nil)
            // What was only mounted on leaves no trace.
            for path in ["etc/hosts", "etc/resolv.conf", "proc/", "sys/", "dev/"] {
                #expect(files[path] == nil, "\(path)")
            }
            #expect(output(outcome) == "10\n$A\n" || output(outcome).hasSuffix("$A\n"))
            #expect(outcome.events.contains(.output(.stderr, Array("oops\n".utf8))))
            #expect(outcome.text.contains(" ---> Running in "))
            #expect(outcome.text.contains(" ---> Removed intermediate container "))
            let image = try fixture.images.resolve(outcome.result.imageID)
            #expect(image.config.history.suffix(5).map(\.emptyLayer) == [true, false, true, true, true])
            #expect(image.config.history.last?.createdBy == "RUN echo $A")
        }
    }

    @Test func runsNothingTwiceAndOnlyWhatFollowsAChange() async throws {
        let text = "COPY a /a\nRUN cat /a > /one\nCOPY b /b\nRUN cat /b > /two"
        try await build(text, [("a", "A"), ("b", "B")]) { fixture, first in
            let files = [("Dockerfile", "FROM busybox\n" + text), ("a", "A"), ("b", "B")]
            let second = try await fixture.build(files)
            #expect(second.result.imageID == first.result.imageID)
            #expect(second.cached == 4)
            var changed = files
            changed[2].1 = "C"
            let third = try await fixture.build(changed)
            #expect(third.cached == 2)
            #expect(try fixture.files(third)["two"] == "644 0:0 C")
        }
    }

    @Test func saysHowACommandFailed() async throws {
        try await BuildFixture.with { fixture in
            try await fixture.makeBusybox()
            let before = fixture.snapshots.all().count
            do {
                _ = try await fixture.build([("Dockerfile", "FROM busybox\nRUN touch /x && exit 7")])
                Issue.record("it was built")
            } catch let failure as StepFailure {
                #expect(failure == StepFailure(command: "/bin/sh -c touch /x && exit 7", code: 7))
                #expect("\(failure)" == "The command '/bin/sh -c touch /x && exit 7' returned a non-zero code: 7")
            }
            await #expect(throws: Failure.self) {
                try await fixture.build([("Dockerfile", "FROM busybox\nRUN [\"/nothing\"]")])
            }
            // Nothing half-made stays.
            #expect(fixture.snapshots.all().count == before)
            #expect(try await fixture.metadata.leases.all().isEmpty)
            let steps = try open(fixture.root + "/build/steps", O_RDONLY | O_DIRECTORY)
            #expect(try readDirectory(steps.raw).isEmpty)
        }
    }

    @Test func mountsCachesCopiesAndMemory() async throws {
        let text = """
            RUN --mount=type=cache,target=/c,id=x test -e /c/f && echo known || echo new; touch /c/f
            RUN --mount=type=cache,target=/d,id=x --mount=target=/ctx --mount=type=tmpfs,target=/t cat /ctx/a /ctx/s/b; ls /d; touch /t/x
            RUN --mount=type=bind,source=s/b,target=/one --mount=type=bind,from=busybox,source=/etc/passwd,target=/two cat /one; head -1 /two
            RUN <<EOF
            echo here
            echo there
            EOF
            RUN <<EOF
            #!/bin/busybox sh
            echo script $0
            EOF
            RUN --network=none ip -o link | wc -l
            """
        try await build(text, [("a", "A\n"), ("s/", ""), ("s/b", "B\n")]) { fixture, outcome in
            #expect(
                output(outcome) == "new\nA\nB\nf\nB\nroot:x:0:0::/root:/bin/sh\nhere\nthere\nscript /dev/pipes/EOF\n1\n"
            )
            let files = try fixture.files(outcome)
            #expect(files.keys.allSatisfy { !["c/", "d/", "ctx/", "t/", "one", "two"].contains($0) }, "\(files.keys)")
        }
    }

    @Test func isCalledOffWhileAStepRuns() async throws {
        try await BuildFixture.with { fixture in
            try await fixture.makeBusybox()
            let before = fixture.snapshots.all().count
            let started = AsyncStream<Void>.makeStream()
            let task = Task {
                let tar = try BuildFixture.tar([("Dockerfile", "FROM busybox\nRUN echo up && sleep 1000")])
                let context = AsyncStream<ByteBuffer> { continuation in
                    continuation.yield(ByteBuffer(bytes: tar))
                    continuation.finish()
                }
                _ = try await fixture.builder.build(BuildRequest(), context: context) { event in
                    if case .output = event { started.continuation.yield() }
                }
            }
            for await _ in started.stream { break }
            task.cancel()
            await #expect(throws: Failure(.cancelled, "")) { try await task.value }
            #expect(fixture.snapshots.all().count == before)
            #expect(try await fixture.metadata.leases.all().isEmpty)
        }
    }

    @Test func buildsStagesSideBySideAndTellsInOrder() async throws {
        let text =
            "RUN echo one > /one\nFROM busybox AS two\nRUN echo two; echo two > /two\nFROM busybox\nCOPY --from=0 /one /\nCOPY --from=two /two /\nRUN cat /one /two"
        try await build(text) { fixture, outcome in
            #expect(output(outcome) == "two\none\ntwo\n")
            let numbers = outcome.events.compactMap { if case .step(let number, _, _) = $0 { number } else { nil } }
            #expect(numbers == [1, 2, 3, 4, 5, 6, 7, 8])
        }
    }
}
