import Linux
import Testing

/// Events: live and remembered, chosen and in order.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"), .oneDaemon())
struct EventTests {
    /// A moment to look back from, or up to.
    private var now: String {
        let now = Clock.wall()
        let nanoseconds = String(now.nanoseconds)
        return "\(now.seconds).\(String(repeating: "0", count: 9 - nanoseconds.count))\(nanoseconds)"
    }

    @Test(arguments: Client.allCases) func aLifeIsToldInOrder(client: Client) async throws {
        try await client.session { cli in
            let format = "{{.Type}} {{.Action}}"
            try await cli.live("events", "--format", format) { live in
                // The stream is there when it tells of something: ask until it does.
                try await eventually("the stream") {
                    try await cli.must("volume", "create", "probe")
                    try await cli.must("volume", "rm", "probe")
                    return live.output.contains("volume destroy")
                }
                try await cli.must("run", "--rm", "--name", "boat", "-v", "/v", "busybox", "true")
                try await live.says("container destroy")
                let told = live.lines.drop { !$0.hasPrefix("container") }
                let actions = told.filter { $0.hasPrefix("container ") }.map { String($0.dropFirst(10)) }
                #expect(actions == ["create", "attach", "start", "die", "destroy"], "\(told)")
                #expect(told.contains("network connect") && told.contains("network disconnect"), "\(told)")
                let connected = try #require(told.firstIndex(of: "network connect"))
                #expect(connected < (try #require(told.firstIndex(of: "container start"))))
                try live.send(15)
            }
        }
    }

    @Test(arguments: Client.allCases) func everyActionLeavesItsEvent(client: Client) async throws {
        try await client.session { cli in
            let since = now
            try await cli.must(
                "create", "--name", "boat", "-l", "kind=test", "busybox", "sh", "-c",
                "trap 'exit 7' TERM; while :; do sleep 0.05; done")
            try await cli.must("start", "boat")
            try await cli.must("exec", "boat", "true")
            try await cli.must("pause", "boat")
            try await cli.must("unpause", "boat")
            try await cli.must("rename", "boat", "ship")
            try await cli.must("kill", "-s", "WINCH", "ship")
            try await cli.must("restart", "-t", "0", "ship")
            try await cli.must("kill", "ship")
            try await cli.must("wait", "ship")
            try await cli.must("rm", "ship")
            func told(_ format: String, _ filters: String...) async throws -> [String] {
                let finished = try await cli.run(
                    ["events", "--since", since, "--until", now, "--format", format]
                        + filters.flatMap { ["--filter", $0] })
                #expect(finished.code == 0, "\(finished.errors)")
                return finished.lines
            }
            let actions = try await told("{{.Action}}", "type=container", "label=kind=test")
            let expected = [
                "create", "start", "exec_create: true", "exec_start: true", "exec_die", "pause", "unpause", "rename",
                "kill", "kill", "kill", "die", "stop", "start", "restart", "kill", "die", "destroy",
            ]
            func tidy(_ actions: [String]) -> [String] {
                actions.filter { !["kill", "stop", "die"].contains($0) }.map { $0.split(separator: ":")[0].description }
            }
            #expect(tidy(actions) == tidy(expected), "\(actions)")
            #expect(try await told("{{.Action}}", "event=die", "container=ship").count == 2)
            #expect(
                try await told("{{.Actor.Attributes.exitCode}}", "event=die", "label=kind=test").last == "137")
            #expect(try await told("{{.Actor.Attributes.signal}}", "event=kill", "label=kind=test").first == "28")
            #expect(try await told("{{.Actor.Attributes.oldName}}", "event=rename").last == "/boat")
            #expect(try await told("{{.Actor.Attributes.image}}", "event=create", "label=kind=test").last == "busybox")
            #expect(try await told("{{.Action}}", "event=exec_create", "label=kind=test").count == 1)
            #expect(try await told("{{.Action}}", "container=nobody").isEmpty)
            let json = try await told("{{json .}}", "event=destroy", "label=kind=test").last ?? ""
            for part in [
                "\"Type\":\"container\"", "\"Action\":\"destroy\"", "\"scope\":\"local\"", "\"timeNano\":",
                "\"name\":\"ship\"",
            ] {
                #expect(json.contains(part), "\(json)")
            }
        }
    }

    @Test(arguments: Client.allCases) func imagesVolumesAndNetworksHaveTheirsToo(client: Client) async throws {
        try await client.session { cli in
            let since = now
            try await cli.must("tag", "busybox", "tagged:1")
            try await cli.must("rmi", "tagged:1")
            try await cli.must("network", "create", "sea")
            try await cli.must("run", "-d", "--name", "boat", "busybox", "sleep", "1000")
            try await cli.must("network", "connect", "sea", "boat")
            try await cli.must("network", "disconnect", "sea", "boat")
            try await cli.must("network", "rm", "sea")
            try await cli.must("volume", "create", "cargo")
            try await cli.must("volume", "rm", "cargo")
            func told(_ type: String, _ filter: String) async throws -> [String] {
                try await cli.must(
                    "events", "--since", since, "--until", now, "--filter", "type=\(type)", "--filter", filter,
                    "--format", "{{.Action}}"
                ).lines
            }
            #expect(try await told("image", "event=tag") == ["tag"])
            #expect(try await told("image", "event=untag") == ["untag"])
            #expect(try await told("network", "network=sea") == ["create", "connect", "disconnect", "destroy"])
            #expect(try await told("volume", "volume=cargo") == ["create", "destroy"])
            let plain = try await cli.must("events", "--since", since, "--until", now, "--filter", "volume=cargo").lines
            #expect(plain.count == 2 && plain[0].contains(" volume create cargo (driver=local)"), "\(plain)")
            try await cli.refuses("events", "--filter", "colour=red", saying: "colour")
        }
    }
}
