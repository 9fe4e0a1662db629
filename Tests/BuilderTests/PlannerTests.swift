import DockerfileSyntax
import OCI
import Testing

@testable import Builder

@Suite struct PlannerTests {
    private func plan(
        _ text: String, target: String? = nil, arguments: [String: String?] = [:], base: ImageConfig.Config = .init(),
        labels: [String: String] = [:]
    ) throws -> BuildPlan {
        let file = try Dockerfile.parse(Array(text.utf8))
        let arguments = BuildArguments(
            arguments, target: Platform(architecture: "amd64"), build: Platform(architecture: "amd64"))
        let selection = try StageSelection(file, target: target, arguments: arguments)
        var images: [StageSelection.ImageNeed: BaseImage] = [:]
        for need in selection.images(file) {
            var digest = DefinitionDigest("test")
            digest.add(need.reference)
            let id = digest.finish()
            images[need] = BaseImage(reference: need.reference, id: id, chain: id, config: ImageConfig(config: base))
        }
        return try Planner.plan(file, selection, arguments, images: images, labels: labels)
    }

    private func runs(_ plan: BuildPlan) -> [RunOperation] {
        plan.graph.vertices.compactMap { if case .run(let run) = $0.operation { run } else { nil } }
    }

    @Test func buildsTheConfig() throws {
        let plan = try plan(
            """
            FROM base
            MAINTAINER me
            ENV A=1 B="two words"
            ENV C=$B D=${A:-x}$E
            LABEL a=$A b="x y"
            WORKDIR /app
            WORKDIR sub/../lib
            EXPOSE 80 53/udp 3000-3002
            VOLUME /data $A/x
            USER 1000:1000
            STOPSIGNAL SIGINT
            SHELL ["/bin/ash", "-ec"]
            CMD serve $A
            ENTRYPOINT ["/init"]
            HEALTHCHECK --retries=2 CMD check
            ONBUILD COPY . /src
            """, labels: ["b": "from outside"])
        let config = plan.result.config
        #expect(config.env == ["PATH=\(StageState.defaultPath)", "A=1", "B=two words", "C=two words", "D=1"])
        #expect(config.labels == ["a": "1", "b": "from outside"])
        #expect(config.workingDir == "/app/lib")
        #expect(config.exposedPorts == ["80/tcp", "53/udp", "3000/tcp", "3001/tcp", "3002/tcp"])
        #expect(config.volumes == ["/data", "1/x"])
        #expect(config.user == "1000:1000")
        #expect(config.stopSignal == "SIGINT")
        #expect(config.shell == ["/bin/ash", "-ec"])
        #expect(config.cmd == ["/bin/ash", "-ec", "serve $A"])
        #expect(config.entrypoint == ["/init"])
        #expect(config.healthcheck == ImageConfig.Healthcheck(test: ["CMD-SHELL", "check"], retries: 2))
        #expect(config.onBuild == ["COPY . /src"])
        #expect(plan.result.author == "me")
        #expect(plan.total == 16)
        #expect(plan.steps.map(\.number) == (1...16).map { $0 })
        #expect(plan.result.history.count == 15)
    }

    @Test func entrypointDropsTheBasesCommandOnly() throws {
        var base = ImageConfig.Config()
        base.cmd = ["sh"]
        #expect(try plan("FROM b\nENTRYPOINT [\"x\"]", base: base).result.config.cmd == nil)
        #expect(try plan("FROM b\nCMD y\nENTRYPOINT [\"x\"]", base: base).result.config.cmd == ["/bin/sh", "-c", "y"])
    }

    @Test func scopesArguments() throws {
        let text = """
            ARG V=1
            ARG W
            FROM b:$V AS one
            ARG V
            ARG X=x$V
            RUN a
            FROM b
            ARG W
            RUN $V
            ENV X=env
            ARG X=arg
            RUN c
            """
        let plan = try plan(text, target: nil, arguments: ["W": "given", "X": "set", "unused": "u", "nil": nil])
        #expect(plan.warnings == ["One or more build-args [nil unused] were not consumed"])
        let found = runs(plan)
        // Only the last stage is needed.
        #expect(found.count == 2)
        #expect(found[0].environment.contains("W=given"))
        #expect(!found[0].environment.contains { $0.hasPrefix("V=") })
        #expect(found[1].environment.filter { $0.hasPrefix("X=") } == ["X=env"])
        let first = try self.plan(text, target: "one", arguments: ["V": "2"])
        #expect(runs(first).first?.environment.suffix(2) == ["V=2", "X=x2"])
        guard
            case .image(let image) = first.graph[try #require(first.steps.first { $0.text.hasPrefix("FROM") }).vertex]
                .operation
        else {
            Issue.record("no image")
            return
        }
        #expect(image.reference == "b:2")
        #expect(first.result.history.last?.createdBy == "RUN |2 V=2 X=x2 /bin/sh -c a")
    }

    @Test func hidesProxies() throws {
        let with = try plan("FROM b\nRUN x", arguments: ["HTTP_PROXY": "http://secret"])
        let without = try plan("FROM b\nRUN x")
        #expect(runs(with).first?.hiddenEnvironment == ["HTTP_PROXY=http://secret"])
        #expect(with.graph.vertices.map(\.digest) == without.graph.vertices.map(\.digest))
        #expect(with.warnings.isEmpty)
        let declared = try plan("FROM b\nARG HTTP_PROXY\nRUN x", arguments: ["HTTP_PROXY": "http://open"])
        #expect(runs(declared).first?.environment.last == "HTTP_PROXY=http://open")
        #expect(runs(declared).first?.hiddenEnvironment == [])
    }

    @Test func plansOnlyWhatTheTargetNeeds() throws {
        let text = """
            FROM b AS base
            RUN one
            FROM base AS left
            RUN two
            FROM base AS right
            RUN three
            FROM scratch AS last
            COPY --from=left /a /
            COPY --from=1 /b /
            """
        let all = try plan(text)
        #expect(runs(all).map { $0.arguments.last ?? "" } == ["one", "two"])
        #expect(all.total == 7)
        let right = try plan(text, target: "RIGHT")
        #expect(runs(right).map { $0.arguments.last ?? "" } == ["one", "three"])
        #expect(right.graph.closure(of: [right.result.vertex]).count == 3)
    }

    @Test func sharesEqualBeginnings() throws {
        let plan = try plan("FROM b AS x\nRUN one\nRUN two\nFROM b\nRUN one\nRUN three\nCOPY --from=x / /")
        #expect(runs(plan).map { $0.arguments.last ?? "" } == ["one", "two", "three"])
    }

    @Test func metadataDoesNotTouchTheTreesKey() throws {
        let one = try plan("FROM b\nLABEL a=1\nEXPOSE 80\nCMD x\nRUN y")
        let two = try plan("FROM b\nLABEL a=2\nRUN y")
        #expect(one.graph[one.result.vertex].digest == two.graph[two.result.vertex].digest)
        let three = try plan("FROM b\nENV a=2\nRUN y")
        #expect(one.graph[one.result.vertex].digest != three.graph[three.result.vertex].digest)
    }

    @Test func runsTriggersOfTheBase() throws {
        var base = ImageConfig.Config()
        base.onBuild = ["RUN echo $A", "ENV B=c"]
        let plan = try plan("FROM b\nCMD x", base: base)
        #expect(plan.steps.map(\.note) == [nil, "# Executing 2 build triggers", nil, nil])
        #expect(plan.steps.map(\.number) == [1, nil, nil, 2])
        #expect(plan.result.config.onBuild.isEmpty)
        #expect(plan.result.config.env.contains("B=c"))
        #expect(runs(plan).count == 1)
        base.onBuild = ["FROM x"]
        #expect(throws: DockerfileError.self) { try self.plan("FROM b", base: base) }
    }

    @Test func understandsHereDocumentsOfRun() throws {
        let found = try runs(
            plan("FROM b\nRUN <<EOF\na\nb\nEOF\nRUN <<-E\n\tx\nE\nRUN <<S\n#!/bin/py\nz\nS\nRUN cat <<A >f\nq\nA\n"))
        #expect(
            found.map(\.arguments) == [
                ["/bin/sh", "-c", "a\nb\n"], ["/bin/sh", "-c", "x\n"], ["/dev/pipes/S"],
                ["/bin/sh", "-c", "cat <<A >f\nq\nA"],
            ])
        #expect(found[2].script == RunOperation.Script(name: "S", content: "#!/bin/py\nz\n"))
    }

    @Test func expandsCopies() throws {
        let plan = try plan(
            "FROM b\nWORKDIR /w\nARG D=deep\nCOPY --chown=$D a $D/\nCOPY <<f <<\"g\" .\n$D\nf\n$D\ng\nADD https://x.org/a /b"
        )
        let copies = plan.graph.vertices.compactMap { vertex -> CopyOperation? in
            if case .copy(let copy) = vertex.operation { copy } else { nil }
        }
        #expect(copies.map(\.destination) == ["/w/deep/", "/w/", "/b"])
        #expect(copies[0].owner == "deep")
        #expect(copies[1].documents.map(\.content) == ["deep\n", "$D\n"])
    }

    @Test(arguments: [
        ("FROM $NO", 1, "base name ($NO) should not be blank"),
        ("FROM b\nCOPY ../x /", 2, "forbidden path outside the build context: ../x ()"),
        (
            "FROM b\nCOPY a b /c", 2,
            "When using COPY with more than one source file, the destination must be a directory and end with a /"
        ),
        (
            "FROM b\nADD https://h/x.git /y", 2,
            "ADD of a git repository (https://h/x.git) is not supported: clone it beside the Dockerfile and COPY it"
        ),
        ("FROM b\nCOPY --from=z /a /b\nFROM b AS z", 3, ""),
        ("FROM b AS z\nCOPY --from=z /a /b", 2, "invalid from flag value z: it names the stage it is in"),
        ("FROM b\nSTOPSIGNAL x", 2, "invalid signal: x"), ("FROM b\nEXPOSE 0", 2, "invalid containerPort: 0"),
        ("FROM b\nEXPOSE 1/x", 2, "invalid proto: 1/x"),
        ("FROM b\nEXPOSE 70000", 2, "invalid containerPort: 70000"),
        ("FROM b\nENV A=${", 2, "syntax error: missing '}'"),
        ("FROM b\n\nUSER $NO", 3, "USER is empty after expansion"),
        ("FROM b\nRUN --mount=type=bind,target=/ x", 2, "invalid mount target \"/\""),
        (
            "FROM b\nADD --checksum=sha256:1 https://x/y /z", 2,
            "invalid checksum \"sha256:1\": want sha256: and 64 hexadecimal digits"
        ),
    ])
    func refuses(_ text: String, _ line: Int, _ message: String) {
        // An empty message stands for a file that is fine: its last stage does not need what is wrong.
        if message.isEmpty {
            #expect(throws: Never.self) { try plan(text) }
            return
        }
        #expect { try plan(text) } throws: { "\($0)" == "dockerfile parse error on line \(line): \(message)" }
    }

    @Test func namesTheTargetThatIsMissing() {
        #expect { try plan("FROM b AS build", target: "biuld") } throws: {
            "\($0)" == "target stage \"biuld\" could not be found (did you mean build?)"
        }
    }
}
