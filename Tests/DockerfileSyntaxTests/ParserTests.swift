import Testing

@testable import DockerfileSyntax

@Suite struct ParserTests {
    private func operation(_ line: String) throws -> Instruction.Operation {
        let file = try Dockerfile.parse(Array("FROM x\n\(line)\n".utf8))
        return try #require(file.stages.first?.instructions.first).operation
    }

    @Test func findsStagesNamesAndGlobals() throws {
        let file = try Dockerfile.parse(
            Array(
                "ARG V=1\nFROM a:$V AS Base\nRUN x\nFROM --platform=linux/arm64 base\nCMD y\nFROM scratch as last".utf8)
        )
        #expect(file.globals.count == 1)
        #expect(file.stages.map(\.name) == ["base", nil, "last"])
        #expect(file.stages.map(\.from.image) == ["a:$V", "base", "scratch"])
        #expect(file.stages[1].from.platform == "linux/arm64")
        #expect(file.stages[0].instructions.map(\.text) == ["RUN x"])
        #expect(file.stage("BASE") == 0)
        #expect(file.stage("1") == 1)
        #expect(file.stage("01") == nil)
        #expect(file.stage("3") == nil)
        #expect(file.stage("last", before: 2) == nil)
    }

    @Test func understandsCommands() throws {
        #expect(try operation("CMD [\"a\", \"b c\"]") == .cmd(.exec(["a", "b c"])))
        #expect(try operation("CMD a \"b c\"") == .cmd(.shell("a \"b c\"")))
        #expect(try operation("CMD ['a']") == .cmd(.shell("['a']")))
        #expect(try operation("CMD []") == .cmd(.exec([])))
        #expect(try operation("ENTRYPOINT --x") == .entrypoint(.shell("--x")))
        #expect(try operation("shell [\"/bin/bash\", \"-c\"]") == .shell(["/bin/bash", "-c"]))
        #expect(try operation("RUN  echo   hi ") == .run(Instruction.Run(command: .shell("echo   hi"))))
    }

    @Test func understandsPairs() throws {
        #expect(
            try operation("ENV A=b  C=\"d e\" F=g\\ h")
                == .env([
                    .init(key: "A", value: "b"), .init(key: "C", value: "\"d e\""), .init(key: "F", value: "g\\ h"),
                ]))
        #expect(try operation("ENV A b=c  d") == .env([.init(key: "A", value: "b=c  d")]))
        #expect(
            try operation("LABEL a=\"x=y\" b=")
                == .label([.init(key: "a", value: "\"x=y\""), .init(key: "b", value: "")]))
        #expect(
            try operation("ARG A B=\"c d\"")
                == .arg([.init(name: "A", value: nil), .init(name: "B", value: "\"c d\"")]))
    }

    @Test func understandsCopies() throws {
        var copy = Instruction.Copy(sources: ["a", "b*"], destination: "/d/")
        copy.from = "base"
        copy.owner = "1:2"
        copy.mode = "u=rwX,go=rX"
        copy.link = true
        copy.parents = true
        copy.excludes = ["*.o", "x"]
        #expect(
            try operation(
                "COPY --from=base --chown=1:2 --chmod=u=rwX,go=rX --link --parents=true --exclude=*.o --exclude=x a b* /d/"
            )
                == .copy(copy))
        #expect(try operation("COPY [\"a b\", \"c\"]") == .copy(Instruction.Copy(sources: ["a b"], destination: "c")))
        var heredoc = Instruction.Copy(sources: ["x"], destination: "/d/")
        heredoc.heredocs = [Heredoc(name: "f.txt", stripsTabs: false, expands: true, content: "hi\n")]
        #expect(try operation("COPY <<f.txt x /d/\nhi\nf.txt") == .copy(heredoc))
        var add = Instruction.Copy(sources: ["https://example.org/a"], destination: "/")
        add.checksum = "sha256:00"
        add.unpack = false
        #expect(try operation("ADD --checksum=sha256:00 --unpack=false https://example.org/a /") == .add(add))
    }

    @Test func understandsMounts() throws {
        func mount(_ text: String) throws -> Instruction.Mount? {
            guard case .run(let run) = try operation("RUN --mount=\(text) --network=none x") else { return nil }
            #expect(run.network == .none)
            return run.mounts.first
        }
        #expect(
            try mount("target=/a,source=b,from=c,rw")
                == Instruction.Mount(kind: .bind, target: "/a", source: "b", from: "c", readOnly: false))
        var cache = Instruction.Mount(kind: .cache, target: "/c", id: "x", readOnly: false, sharing: .locked)
        cache.mode = 0o700
        cache.user = 1
        cache.group = 2
        #expect(try mount("type=cache,id=x,dst=/c,sharing=locked,mode=0700,uid=1,gid=2") == cache)
        #expect(try mount("type=tmpfs,target=/t,size=64m")?.size == 64 << 20)
        #expect(try mount("type=secret,id=s,required")?.required == true)
    }

    @Test func understandsHealthchecks() throws {
        #expect(try operation("HEALTHCHECK NONE") == .healthcheck(.init()))
        #expect(
            try operation("HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=0 --retries=3 CMD curl x")
                == .healthcheck(
                    .init(command: .shell("curl x"), interval: 90_000_000_000, timeout: 500_000_000, retries: 3)))
    }

    @Test func keepsTriggersAsTheyStand() throws {
        guard case .onBuild(let trigger) = try operation("ONBUILD RUN  a && b") else {
            Issue.record("no trigger")
            return
        }
        #expect(trigger.text == "RUN  a && b")
    }

    @Test(arguments: [
        ("FORM x", 2, "unknown instruction: FORM (did you mean FROM?)"), ("XYZZY", 2, "unknown instruction: XYZZY"),
        ("CPOY a b", 2, "unknown instruction: CPOY (did you mean COPY?)"),
        ("FROM", 2, "FROM requires either one or three arguments"),
        ("FROM a AS", 2, "FROM requires either one or three arguments"),
        ("FROM a AS 1b", 2, "invalid name for build stage: \"1b\", name can't start with a number or contain symbols"),
        ("FROM --platfrom=x a", 2, "unknown flag: --platfrom (did you mean --platform?)"),
        (
            "COPY a", 2,
            "COPY requires at least two arguments, but only one was provided. Destination could not be determined"
        ),
        ("COPY", 2, "COPY requires at least two arguments, but none were provided"),
        ("COPY --form=x a b", 2, "unknown flag: --form (did you mean --from?)"),
        ("COPY --from a b", 2, "missing a value on flag: from"),
        ("COPY --from=a --from=b c d", 2, "duplicate flag specified: from"),
        ("COPY --link=x a b", 2, "expecting boolean value for flag link, not: x"),
        ("COPY --chmod=9 a b", 2, "invalid chmod parameter: '9': it should be octal, or symbolic like u=rwX,go=rX"),
        ("RUN", 2, "RUN requires at least one argument"), ("RUN []", 2, "RUN requires at least one argument"),
        (
            "RUN --mount=type=bnid,target=/x y", 2,
            "unsupported mount type \"bnid\" (did you mean bind?): one of bind, cache, tmpfs, secret, ssh"
        ),
        ("RUN --mount=target=/x,tpye=bind y", 2, "unexpected key 'tpye' in 'tpye=bind' (did you mean type?)"),
        ("RUN --mount=type=cache y", 2, "--mount=type=cache needs target="),
        ("RUN --network=sandbox y", 2, "invalid network mode: \"sandbox\", must be default, none or host"),
        ("ENV", 2, "ENV requires at least one argument"), ("ENV A", 2, "ENV must have two arguments"),
        ("ENV A=b C", 2, "Syntax error - can't find = in \"C\". Must be of the form: name=value"),
        ("ENV =b", 2, "ENV names can not be blank"),
        ("LABEL", 2, "LABEL requires at least one argument"), ("ARG", 2, "ARG requires at least one argument"),
        ("ARG =x", 2, "ARG names can not be blank"),
        ("SHELL /bin/sh", 2, "SHELL requires the arguments to be in JSON form"),
        ("SHELL []", 2, "SHELL requires at least one argument"),
        ("CMD [1]", 2, "when using JSON array syntax, arrays must be comprised of strings only"),
        ("WORKDIR", 2, "WORKDIR requires exactly one argument"), ("USER", 2, "USER requires exactly one argument"),
        ("EXPOSE", 2, "EXPOSE requires at least one argument"), ("VOLUME", 2, "VOLUME requires at least one argument"),
        ("VOLUME [\"\"]", 2, "VOLUME specified can not be an empty string"),
        ("STOPSIGNAL", 2, "STOPSIGNAL requires exactly one argument"),
        ("HEALTHCHECK", 2, "HEALTHCHECK requires at least one argument"),
        ("HEALTHCHECK NONE x", 2, "HEALTHCHECK NONE takes no arguments"),
        ("HEALTHCHECK EXEC x", 2, "Unknown type \"EXEC\" in HEALTHCHECK (try CMD)"),
        ("HEALTHCHECK CMD", 2, "Missing command after HEALTHCHECK CMD"),
        ("HEALTHCHECK --interval=5 CMD x", 2, "--interval: \"5\" is no duration: write it like 30s or 1m30s"),
        ("HEALTHCHECK --interval=1us CMD x", 2, "--interval \"1us\" cannot be less than 1ms"),
        ("ONBUILD", 2, "ONBUILD requires at least one argument"),
        ("ONBUILD ONBUILD RUN x", 2, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        ("ONBUILD FROM x", 2, "FROM isn't allowed as an ONBUILD trigger"),
        ("ONBUILD XYZZY", 2, "unknown instruction: XYZZY"),
        ("USER --x y", 2, "unknown flag: --x: USER takes none"),
    ])
    func saysWhatIsWrongAndWhere(_ line: String, _ number: Int, _ message: String) {
        #expect {
            try Dockerfile.parse(Array("FROM x\n\(line)\n".utf8))
        } throws: {
            "\($0)" == "dockerfile parse error on line \(number): \(message)"
        }
    }

    @Test func wantsAStage() {
        for text in ["", "# nothing", "ARG A=b"] {
            #expect(throws: DockerfileError.self) { try Dockerfile.parse(Array(text.utf8)) }
        }
        #expect {
            try Dockerfile.parse(Array("\nRUN x".utf8))
        } throws: {
            "\($0)"
                == "dockerfile parse error on line 2: no build stage in current context: the first instruction must be FROM (or ARG)"
        }
    }

    @Test(arguments: [
        ("644", 0o755, false, 0o644), ("0755", 0, true, 0o755), ("u=rwX,go=rX", 0o600, false, 0o644),
        ("u=rwX,go=rX", 0o700, true, 0o755),
        ("+x", 0o644, false, 0o755), ("a-w", 0o666, false, 0o444), ("g+s", 0o755, true, 0o2755),
        ("u=r,g-r+w,o=", 0o777, false, 0o430),
        ("+t", 0o777, true, 0o1777),
    ])
    func readsModes(_ text: String, _ before: Int, _ isDirectory: Bool, _ after: Int) throws {
        #expect(try #require(FileMode(text)).applied(to: UInt16(before), isDirectory: isDirectory) == UInt16(after))
    }

    @Test(arguments: ["", "8", "77777", "u", "u+z", "x", "644,"])
    func refusesModes(_ text: String) { #expect(FileMode(text) == nil) }

    @Test(arguments: [("1h2m3s", 3_723_000_000_000), ("1.5s", 1_500_000_000), ("0", 0), ("10us", 10_000)])
    func readsDurations(_ text: String, _ wanted: Int) { #expect(GoDuration.parse(text) == Int64(wanted)) }

    @Test(arguments: ["", "5", "s", "1x", "-", ".s", "99999999999h"])
    func refusesDurations(_ text: String) { #expect(GoDuration.parse(text) == nil) }

    @Test(arguments: ["SIGTERM", "term", "9", "RTMIN+3", "64"]) func knowsSignals(_ text: String) {
        #expect(Signals.isSignal(text))
    }
    @Test(arguments: ["", "0", "65", "SIGX", "RTMIN+31"]) func knowsNoSignals(_ text: String) {
        #expect(!Signals.isSignal(text))
    }
}
