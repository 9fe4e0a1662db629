import Testing

/// `ps` and `inspect`: which containers, in which form.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"), .oneDaemon())
struct ListingTests {
    @Test(arguments: Client.allCases) func containersAreChosenByFilters(client: Client) async throws {
        try await client.session { cli in
            try await cli.must("network", "create", "sea")
            try await cli.must("tag", "busybox", "derived:1")
            #expect(
                try await cli("run", "--name", "done", "-l", "kind=job", "busybox", "sh", "-c", "exit 3").code == 3)
            try await cli.must("create", "--name", "idle", "-l", "kind=idle", "busybox")
            try await cli.must(
                "run", "-d", "--name", "web", "-l", "kind=server", "-l", "tier=1", "-p", "0:80", "--expose", "99",
                "-v", "cargo:/c", "--network", "sea", "derived:1", "sleep", "1000")
            try await cli.must("run", "-d", "--name", "worker", "-l", "tier=1", "busybox", "sleep", "1000")
            func names(_ words: String...) async throws -> [String] {
                let finished = try await cli.run(["ps", "--format", "{{.Names}}"] + words)
                #expect(finished.code == 0, "\(client) ps \(words): \(finished.errors)")
                return finished.lines
            }
            #expect(try await names() == ["worker", "web"], "newest first")
            #expect(try await names("-a") == ["worker", "web", "idle", "done"])
            #expect(try await names("-l") == ["worker"])
            #expect(try await names("-n", "3") == ["worker", "web", "idle"])
            let web = try await cli.must("inspect", "-f", "{{.Id}}", "web").line
            let cases: [(filters: [String], names: [String])] = [
                (["name=w"], ["worker", "web"]), (["name=^/web$"], ["web"]), (["name=^web$"], ["web"]),
                (["id=\(web.prefix(12))"], ["web"]), (["status=exited"], ["done"]),
                (["status=created", "status=exited"], ["idle", "done"]), (["exited=3"], ["done"]),
                (["exited=0"], []), (["label=kind"], ["web", "idle", "done"]), (["label=kind=job"], ["done"]),
                (["label=kind", "label=tier=1"], ["web"]), (["network=sea"], ["web"]), (["volume=cargo"], ["web"]),
                (["volume=/c"], ["web"]), (["expose=99"], ["web"]),
                (["ancestor=derived:1"], ["worker", "web", "idle", "done"]),
                (["before=web"], ["idle", "done"]), (["since=web"], ["worker"]), (["publish=80"], []),
                (["health=none", "name=web"], ["web"]),
            ]
            for one in cases {
                let found = try await cli.run(
                    ["ps", "-a", "--format", "{{.Names}}"] + one.filters.flatMap { ["--filter", $0] })
                #expect(found.lines == one.names, "\(client) \(one.filters): \(found.errors)")
            }
            try await cli.refuses("ps", "--filter", "colour=red", saying: "invalid filter 'colour'")
            try await cli.refuses("ps", "--filter", "before=ghost", saying: "No such container: ghost")
            try await cli.must("rmi", "-f", "derived:1")
        }
    }

    @Test(arguments: Client.allCases) func aListHasTheFormThatIsAskedFor(client: Client) async throws {
        try await client.session { cli in
            let id = try await cli.must(
                "run", "-d", "--name", "web", "-l", "a=b", "-p", "127.0.0.1:0:80", "--expose", "99", "-v", "cargo:/c",
                "busybox", "sh", "-c", "echo something > /file; exec sleep 1000"
            ).line
            let table = try await cli.must("ps").lines
            #expect(
                table[0].split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
                    == "CONTAINER ID IMAGE COMMAND CREATED STATUS PORTS NAMES")
            #expect(table[1].hasPrefix("\(id.prefix(12))   busybox   \"sh -c 'echo somethi…\""), "\(table[1])")
            #expect(table[1].contains("Up ") && table[1].contains("127.0.0.1:") && table[1].hasSuffix("web"))
            #expect(table[1].contains("->80/tcp") && table[1].contains("99/tcp"))
            let whole = try await cli.must("ps", "--no-trunc").lines[1]
            #expect(whole.hasPrefix(id) && whole.contains("\"sh -c 'echo something > /file; exec sleep 1000'\""))
            #expect(try await cli.must("ps", "-q").lines == [String(id.prefix(12))])
            #expect(try await cli.must("ps", "-q", "--no-trunc").lines == [id])
            try await eventually("the size of what it wrote") {
                let sized = try await cli.must("ps", "-s", "--format", "{{.Size}}").line
                return sized.contains("(virtual ") && !sized.hasPrefix("0B")
            }
            let chosen = try await cli.must(
                "ps", "--format", "{{.ID}}|{{.Image}}|{{.State}}|{{.Labels}}|{{.Label \"a\"}}|{{.Mounts}}|{{.Networks}}"
            )
            #expect(chosen.line == "\(id.prefix(12))|busybox|running|a=b|b|cargo|bridge")
            let titled = try await cli.must("ps", "--format", "table {{.Names}}\t{{.Image}}").lines
            #expect(titled.map { $0.split(separator: " ").joined(separator: " ") } == ["NAMES IMAGE", "web busybox"])
            let json = try await cli.must("ps", "--format", "json").line
            #expect(json.hasPrefix("{") && json.contains("\"Names\":\"web\"") && json.contains("\"State\":\"running\""))
            let trees = try await cli.must("ps", "--format", "{{json .Names}} {{upper .Image}} {{len .Names}}").line
            #expect(trees == "\"web\" BUSYBOX 3")
        }
    }

    @Test(arguments: Client.allCases) func everyObjectIsInspected(client: Client) async throws {
        try await client.session { cli in
            try await cli.must("network", "create", "sea")
            try await cli.must("volume", "create", "cargo")
            let id = try await cli.must(
                "create", "--name", "boat", "-e", "A=1", "-w", "/w", "-u", "www", "-h", "harbour", "-l", "x=y", "-m",
                "64m",
                "--cpus", "0.5", "--restart", "on-failure:3", "-v", "cargo:/c:ro", "--network", "sea", "-p", "8080:80",
                "--entrypoint", "sh", "--stop-signal", "QUIT", "--stop-timeout", "7", "--init", "--read-only",
                "--cap-add", "SYS_TIME", "--cap-drop", "CHOWN", "--add-host", "a:1.2.3.4", "busybox", "-c", "true"
            ).line
            let cases: [(template: String, value: String)] = [
                ("{{.Id}}", id), ("{{.Name}}", "/boat"), ("{{.Path}} {{.Args}}", "sh [-c true]"),
                ("{{.State.Status}} {{.State.Running}} {{.State.Pid}} {{.State.ExitCode}}", "created false 0 0"),
                ("{{.State.FinishedAt}}", "0001-01-01T00:00:00Z"), ("{{.RestartCount}}", "0"),
                ("{{.Platform}}", "linux"),
                (
                    "{{.Config.Image}} {{.Config.User}} {{.Config.WorkingDir}} {{.Config.Hostname}}",
                    "busybox www /w harbour"
                ),
                ("{{json .Config.Cmd}} {{json .Config.Entrypoint}}", "[\"-c\",\"true\"] [\"sh\"]"),
                ("{{index .Config.Labels \"x\"}} {{.Config.StopSignal}} {{.Config.StopTimeout}}", "y QUIT 7"),
                ("{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}", "67108864 500000000"),
                ("{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}", "on-failure 3"),
                ("{{json .HostConfig.Binds}} {{.HostConfig.NetworkMode}}", "[\"cargo:/c:ro\"] sea"),
                ("{{.HostConfig.Init}} {{.HostConfig.ReadonlyRootfs}}", "true true"),
                ("{{.HostConfig.CapAdd}} {{.HostConfig.CapDrop}}", "[CAP_SYS_TIME] [CAP_CHOWN]"),
                ("{{.HostConfig.ExtraHosts}}", "[a:1.2.3.4]"),
                ("{{json .HostConfig.PortBindings}}", "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8080\"}]}"),
                ("{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}}{{end}}", "volume cargo /c false"),
                ("{{range $name, $net := .NetworkSettings.Networks}}{{$name}}{{end}}", "sea"),
                ("{{with .State}}{{if .Running}}up{{else}}down{{end}}{{end}}", "down"),
            ]
            for one in cases {
                let said = try await cli("inspect", "-f", one.template, "boat")
                #expect(said.line == one.value, "\(client) \(one.template): \(said.errors)")
            }
            let tree = try await cli.must("inspect", "boat").output
            #expect(
                tree.hasPrefix("[\n    {\n        \"Id\": \"\(id)\",") && tree.hasSuffix("\n    }\n]\n"),
                "\(tree.prefix(80))")
            #expect(try await cli.must("inspect", "--size", "-f", "{{.SizeRw}}", "boat").line == "0")
            let many = try await cli.must("inspect", "-f", "{{.Name}}", "boat", "sea", "cargo").lines
            #expect(many == ["/boat", "sea", "cargo"])
            #expect(try await cli.must("inspect", "-f", "{{.Os}}", "busybox").line == "linux")
            #expect(try await cli.must("inspect", "--type", "volume", "-f", "{{.Driver}}", "cargo").line == "local")
            #expect(
                try await cli.must("network", "inspect", "-f", "{{.Driver}} {{.Scope}}", "sea").line == "bridge local")
            #expect(try await cli.must("volume", "inspect", "-f", "{{.Name}}", "cargo").line == "cargo")
            #expect(
                try await cli.must("image", "inspect", "-f", "{{index .RepoTags 0}}", "busybox").line
                    == "busybox:latest")
            #expect(
                try await cli.must("container", "inspect", "-f", "{{.Name}}", String(id.prefix(10))).line == "/boat")
            let partly = try await cli("inspect", "-f", "{{.Name}}", "boat", "ghost")
            #expect(
                partly.code == 1 && partly.line == "/boat"
                    && partly.errors.lowercased().contains("no such object: ghost"))
            try await cli.refuses("inspect", "--type", "image", "boat", saying: "No such image: boat")
            try await cli.refuses("inspect", "--type", "boat", "x", saying: "unknown type: \"boat\": must be one of")
            #expect(try await cli("inspect", "-f", "{{.Nothing", "boat").code != 0)
        }
    }
}
