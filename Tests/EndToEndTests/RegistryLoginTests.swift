import Linux
import Testing

/// A registry that asks who is there: login, push, pull, logout.
@Suite(
    .serialized, .enabled(if: isRoot, "an engine needs root"),
    .enabled(if: LocalRegistry.program != nil, "docker-registry is not installed"), .oneDaemon())
struct RegistryLoginTests {
    @Test(arguments: Client.allCases) func onlyWhoIsLoggedInPushesAndPulls(client: Client) async throws {
        try await client.session { cli in
            try await LocalRegistry.with(cli.daemon, asksForName: true) { registry in
                let name = "\(registry)/fleet/\(client):1"
                try await cli.must("tag", "busybox", name)
                let refused = try await cli("push", name)
                #expect(refused.code == 1 && refused.errors.contains("no basic auth credentials"), "\(refused.errors)")
                try await cli.refuses("pull", name, saying: "no basic auth credentials")
                let wrong = try await cli(
                    "login", "-u", LocalRegistry.user, "--password-stdin", registry, input: "wrong\n")
                #expect(wrong.code == 1 && wrong.errors.contains("unauthorized"), "\(wrong.errors)")
                let login = try await cli(
                    "login", "-u", LocalRegistry.user, "--password-stdin", registry,
                    input: LocalRegistry.password + "\n")
                #expect(login.code == 0 && login.output.contains("Login Succeeded"), "\(login.errors)")
                let pushed = try await cli.must("push", name)
                #expect(pushed.output.contains("The push refers to repository [\(registry)/fleet/\(client)]"))
                #expect(pushed.output.contains("1: digest: sha256:"))
                let again = try await cli.must("push", name)
                #expect(again.output.contains("Layer already exists"))
                try await cli.must("rmi", name)
                let pulled = try await cli.must("pull", name)
                #expect(pulled.output.contains("1: Pulling from fleet/\(client)"), "\(pulled.output)")
                #expect(pulled.output.contains("Status: "))
                let digest = try await cli.must("inspect", "-f", "{{index .RepoDigests 0}}", name).line
                try await cli.must("rmi", name)
                #expect(try await cli("pull", "-q", digest).output.contains(digest))
                #expect(try await cli.must("run", "--rm", digest, "echo", "afloat").output.hasSuffix("afloat\n"))
                try await cli.must("rmi", digest)
                // run fetches what is not here; -q and all tags.
                let run = try await cli.must("run", "--rm", name, "echo", "fetched")
                #expect(run.output == "fetched\n" && run.errors.contains("Unable to find image '\(name)' locally"))
                try await cli.must("tag", name, "\(registry)/fleet/\(client):2")
                let all = try await cli.must("push", "-a", "\(registry)/fleet/\(client)")
                #expect(all.output.contains("1: digest:") && all.output.contains("2: digest:"), "\(all.output)")
                try await cli.must("rmi", name, "\(registry)/fleet/\(client):2")
                try await cli.must("pull", "-a", "\(registry)/fleet/\(client)")
                #expect(try await cli.must("images", "-q", "\(registry)/fleet/\(client)").lines.count == 2)
                try await cli.refuses("pull", "\(registry)/fleet/ghost:1", saying: "ghost")
                try await cli.must("logout", registry)
                try await cli.refuses("push", name, saying: "no basic auth credentials")
                try await cli.must("rmi", name, "\(registry)/fleet/\(client):2")
            }
        }
    }
}
