import Linux
import Testing

/// What the engine says of itself.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"), .oneDaemon())
struct SystemCommandTests {
    @Test(arguments: Client.allCases) func versionAndInfoAreTold(client: Client) async throws {
        try await client.session { cli in
            let version = try await cli.must("version").output
            #expect(version.contains("Client:") && version.contains("Server: Skiff"), "\(version)")
            let server = try await cli.must(
                "version", "--format",
                "{{.Server.Os}} {{.Server.Arch}} {{.Server.MinAPIVersion}} {{.Server.Platform.Name}}")
            #expect(server.line.hasPrefix("linux ") && server.line.hasSuffix(" 1.24 Skiff"), "\(server.output)")
            try await cli.must("run", "-d", "--name", "runs", "busybox", "sleep", "1000")
            try await cli.must("create", "--name", "idle", "busybox")
            let info = try await cli.must(
                "info", "--format",
                "{{.Containers}} {{.ContainersRunning}} {{.ContainersStopped}} {{.Images}} {{.OSType}} {{.DockerRootDir}}"
            )
            #expect(info.line == "2 1 1 1 linux \(cli.daemon.root)")
            let text = try await cli.must("info").output
            for words in [
                "Containers: 2", "Running: 1", "Server Version:", "Cgroup Version:", "Total Memory:", "seccomp",
            ] {
                #expect(text.contains(words), "\(client) info lacks \(words)")
            }
            #expect(try await cli("frobnicate").code == 1)
            #expect(try await cli("--help").code == 0)
            #expect(try await cli("run", "--help").output.contains("--publish"))
        }
    }

    @Test func aPingIsAnswered() async throws {
        try await Client.skiff.session { cli in
            let curl = try #require(Program.find("curl"))
            func ask(_ words: String...) async throws -> String {
                try await Program.run(curl, ["-sS", "-i", "--unix-socket", cli.daemon.socket] + words).output
                    .lowercased()
            }
            for path in ["/_ping", "/v1.24/_ping", "/v1.51/_ping"] {
                let answer = try await ask("http://d\(path)")
                #expect(answer.contains("200 ok") && answer.hasSuffix("\r\n\r\nok"), "\(answer)")
                for header in [
                    "api-version: 1.", "ostype: linux", "builder-version: 1", "cache-control: no-cache", "server: ",
                ] {
                    #expect(answer.contains(header), "\(answer)")
                }
            }
            let head = try await ask("-I", "http://d/_ping")
            #expect(head.contains("content-length: 0"), "\(head)")
            let old = try await ask("http://d/v1.10/_ping")
            #expect(old.contains("400 bad request") && old.contains("client version 1.10 is too old"), "\(old)")
            let new = try await ask("http://d/v9.99/info")
            #expect(new.contains("client version 9.99 is too new"), "\(new)")
            #expect(try await ask("http://d/nothing/here").contains("404 not found"))
        }
    }
}
