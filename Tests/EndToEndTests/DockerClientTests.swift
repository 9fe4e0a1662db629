import Linux
import Testing

/// Docker's own command line against Skiff.
@Suite(
    .serialized, .enabled(if: isRoot, "an engine needs root"),
    .enabled(if: Docker.path != nil, "no docker command line on this machine"))
struct DockerClientTests {
    @Test func everydayCommandsWork() async throws {
        try await PrivateDaemon.with { daemon in
            let version = try await daemon.docker("version", "--format", "{{.Server.Version}}")
            #expect(version.code == 0, "\(version.errors)")
            #expect(try await daemon.docker("info", "--format", "{{.OSType}}").line == "linux")
            #expect(try await daemon.docker("run", "--rm", "busybox", "echo", "hello").output == "hello\n")
            #expect(try await daemon.docker("run", "--rm", "-i", "busybox", "cat", input: "piped").output == "piped")
            #expect(try await daemon.docker("run", "--rm", "busybox", "sh", "-c", "exit 7").code == 7)
            #expect(try await daemon.docker("run", "--rm", "busybox", "nosuchprogram").code == 127)
            #expect(try await daemon.docker("run", "--rm", "busybox", "/etc/passwd").code == 126)
            let started = try await daemon.docker(
                "run", "-d", "--name", "web", "-p", "0:80", "-l", "a=b", "busybox", "sleep", "1000")
            #expect(started.line.count == 64, "\(started.errors)")
            #expect(
                try await daemon.docker("ps", "--format", "{{.Names}} {{.Image}} {{.State}}").line
                    == "web busybox running")
            #expect(try await daemon.docker("ps", "--filter", "label=a=b", "-q").lines.count == 1)
            #expect(try await daemon.docker("port", "web").output.contains("80/tcp -> 0.0.0.0:"))
            #expect(try await daemon.docker("exec", "web", "echo", "in").output == "in\n")
            #expect(try await daemon.docker("exec", "-i", "web", "cat", input: "x").output == "x")
            #expect(try await daemon.docker("exec", "web", "sh", "-c", "exit 3").code == 3)
            #expect(try await daemon.docker("inspect", "-f", "{{.State.Running}}", "web").line == "true")
            #expect(try await daemon.docker("stop", "-t", "0", "web").code == 0)
            #expect(try await daemon.docker("start", "web").code == 0)
            #expect(try await daemon.docker("restart", "-t", "0", "web").code == 0)
            #expect(try await daemon.docker("rename", "web", "net").code == 0)
            #expect(try await daemon.docker("kill", "net").code == 0)
            #expect(try await daemon.docker("wait", "net").line == "137")
            #expect(try await daemon.docker("rm", "net").line == "net")
            // The client rounds a duration down to seconds: name the next second, and the call ends with it.
            let events = try await daemon.docker(
                "events", "--since", "0", "--until", "\(Clock.wall().seconds + 1)", "--format", "{{.Action}}")
            #expect(["create", "start", "die", "rename", "destroy"].allSatisfy(events.lines.contains))
        }
    }

    @Test func logsVolumesNetworksAndImages() async throws {
        try await PrivateDaemon.with { daemon in
            #expect(
                try await daemon.docker(
                    "run", "--name", "talker", "busybox", "sh", "-c", "echo one; echo two >&2; echo three"
                ).code == 0)
            let logs = try await daemon.docker("logs", "talker")
            #expect(logs.output == "one\nthree\n" && logs.errors == "two\n")
            #expect(try await daemon.docker("logs", "--tail", "3", "talker").output == "one\nthree\n")
            #expect(try await daemon.docker("rm", "talker").code == 0)
            #expect(try await daemon.docker("volume", "create", "vol").line == "vol")
            #expect(try await daemon.docker("run", "--rm", "-v", "vol:/v", "busybox", "touch", "/v/x").code == 0)
            #expect(try await daemon.docker("run", "--rm", "-v", "vol:/v", "busybox", "ls", "/v").line == "x")
            #expect(try await daemon.docker("volume", "rm", "vol").code == 0)
            #expect(try await daemon.docker("network", "create", "net").code == 0)
            #expect(
                try await daemon.docker("network", "ls", "--format", "{{.Name}}").lines.sorted() == [
                    "bridge", "host", "net", "none",
                ])
            #expect(try await daemon.docker("network", "rm", "net").code == 0)
            #expect(try await daemon.docker("tag", "busybox", "other:1").code == 0)
            #expect(try await daemon.docker("images", "-q").lines.count >= 1)
            #expect(try await daemon.docker("history", "-q", "busybox").code == 0)
            #expect(try await daemon.docker("save", "-o", daemon.home + "/saved.tar", "other:1").code == 0)
            #expect(try await daemon.docker("rmi", "other:1").code == 0)
            #expect(
                try await daemon.docker("load", "-i", daemon.home + "/saved.tar").output.contains(
                    "Loaded image: other:1"))
        }
    }

    @Test func theClassicBuilderWorks() async throws {
        try await PrivateDaemon.with { daemon in
            let directory = daemon.home + "/context"
            try makeDirectories(directory)
            try writeFile(
                directory + "/Dockerfile",
                Array("FROM busybox\nCOPY f /f\nRUN cat /f > /g\nCMD [\"cat\", \"/g\"]\n".utf8))
            try writeFile(directory + "/f", Array("content\n".utf8))
            let built = try await daemon.docker("build", "-t", "made", directory)
            #expect(built.code == 0, "\(built.errors)")
            #expect(built.output.contains("Step 1/4 : FROM busybox"))
            #expect(built.output.contains("Successfully tagged made:latest"))
            #expect(try await daemon.docker("run", "--rm", "made").output == "content\n")
            let again = try await daemon.docker("build", "-t", "made", directory)
            #expect(again.output.contains("Using cache"))
        }
    }
}
