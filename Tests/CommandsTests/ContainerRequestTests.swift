internal import DockerAPI
internal import Failures
internal import JSON
internal import Testing

@testable internal import Commands

@Suite("Container request")
struct ContainerRequestTests {
    private func request(_ words: String..., detached: Bool = false) throws -> JSON {
        let parsed = try ArgumentParser(options: ContainerOptions.all, stopsAtFirstArgument: true).parse(words)
        let environment = Environment(["FROM_HERE": "yes"])
        return try encoded(ContainerRequest(parsed, detached: detached, environment: environment).body)
    }

    @Test("what is not said is not sent")
    func bare() throws {
        let body = try request("alpine")
        #expect(body["Image"] == "alpine")
        #expect(body["Cmd"] == nil && body["Entrypoint"] == nil && body["Hostname"] == nil)
        #expect(body["AttachStdout"] == true && body["AttachStdin"] == false)
        #expect(body["HostConfig"]?["NetworkMode"] == "default")
        #expect(body["HostConfig"]?["Memory"] == nil)
        #expect(body["NetworkingConfig"] == nil)
    }

    @Test("the process is as typed")
    func process() throws {
        let body = try request(
            "-it", "-e", "A=1", "-e", "FROM_HERE", "-e", "NOT_HERE", "-w", "/w", "-u", "1:2", "--entrypoint", "sh",
            "-l", "a=b",
            "alpine", "-c", "ls -l")
        #expect(body["Env"] == ["A=1", "FROM_HERE=yes"])
        #expect(body["Cmd"] == ["-c", "ls -l"])
        #expect(body["Entrypoint"] == ["sh"])
        #expect(body["Tty"] == true && body["OpenStdin"] == true && body["StdinOnce"] == true)
        #expect(body["Labels"] == ["a": "b"] && body["User"] == "1:2" && body["WorkingDir"] == "/w")
    }

    @Test("a detached container is attached to nothing")
    func detached() throws {
        let body = try request("-i", "alpine", detached: true)
        #expect(body["AttachStdin"] == false && body["AttachStdout"] == false && body["StdinOnce"] == false)
        #expect(body["OpenStdin"] == true)
    }

    @Test("limits, ports, files and isolation reach the host config")
    func host() throws {
        let host = try #require(
            try request(
                "-m", "64m", "--cpus", "1.5", "--pids-limit", "10", "-p", "8080:80", "--expose", "53/udp", "-v",
                "/a:/b:ro", "-v", "/anon",
                "--tmpfs", "/t:size=1m", "--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--privileged", "--read-only",
                "--init",
                "--restart", "on-failure:3", "--add-host", "db=10.0.0.1", "--ulimit", "nofile=10:20", "--device",
                "/dev/fuse",
                "--sysctl", "net.a=1", "--log-opt", "max-size=1m", "--network", "front", "--network-alias", "web",
                "--shm-size", "1m",
                "alpine")["HostConfig"])
        #expect(host["Memory"] == JSON(64 << 20) && host["NanoCpus"] == 1_500_000_000 && host["PidsLimit"] == 10)
        #expect(host["PortBindings"]?["80/tcp"]?[0]?["HostPort"] == "8080")
        #expect(host["Binds"] == ["/a:/b:ro"] && host["Tmpfs"] == ["/t": "size=1m"])
        #expect(host["CapDrop"] == ["ALL"] && host["CapAdd"] == ["CAP_NET_ADMIN"] && host["Privileged"] == true)
        #expect(host["ReadonlyRootfs"] == true && host["Init"] == true)
        #expect(host["RestartPolicy"] == ["Name": "on-failure", "MaximumRetryCount": 3])
        #expect(host["ExtraHosts"] == ["db:10.0.0.1"] && host["NetworkMode"] == "front")
        #expect(host["Ulimits"]?[0] == ["Name": "nofile", "Soft": 10, "Hard": 20])
        #expect(host["Devices"]?[0]?["PathInContainer"] == "/dev/fuse" && host["Sysctls"] == ["net.a": "1"])
        #expect(host["LogConfig"]?["Config"] == ["max-size": "1m"])
    }

    @Test("anonymous volumes and exposed ports are in the config, aliases with their network")
    func rest() throws {
        let body = try request(
            "-v", "/anon", "--expose", "53/udp", "--network", "front", "--network-alias", "web", "alpine")
        #expect(body["Volumes"] == ["/anon": [:]] && body["ExposedPorts"] == ["53/udp": [:]])
        #expect(body["NetworkingConfig"]?["EndpointsConfig"]?["front"]?["Aliases"] == ["web"])
    }

    @Test(
        "contradictions are refused",
        arguments: [
            ["--rm", "--restart", "always", "x"], ["--no-healthcheck", "--health-cmd", "true", "x"],
            ["--ulimit", "nofile=20:10", "x"],
            ["--add-host", "nonsense", "x"], ["-v", "a:b:c:d", "x"], ["--network", "a", "--network", "a", "x"],
            ["--log-driver", "none", "--log-opt", "a=b", "x"], ["--env-file", "/nonexistent", "x"], ["-e", "=x", "x"],
            ["--dns", "abc", "x"], ["-l", "=x", "x"], ["--sysctl", "kernel.hostname=x", "x"],
            ["--ulimit", "odd=1", "x"],
            ["--pid", "odd", "x"], ["--pid", "container:", "x"], ["--uts", "odd", "x"], ["--userns", "odd", "x"],
            ["--cgroupns", "odd", "x"], ["--add-host", "a:b", "x"], ["--device", "/dev/null:/dev/x:q", "x"],
        ])
    func contradictions(words: [String]) throws {
        #expect(throws: Failure.self) {
            let parsed = try ArgumentParser(options: ContainerOptions.all, stopsAtFirstArgument: true).parse(words)
            _ = try ContainerRequest(parsed, detached: false, environment: Environment([:]))
        }
    }

    @Test(
        "capabilities are sent in capitals, once and in order",
        arguments: [
            ([], [], [], []),
            (["sys_time", "CAP_CHOWN", "chown"], ["kill"], ["CAP_CHOWN", "CAP_SYS_TIME"], ["CAP_KILL"]),
            (["all", "chown"], ["kill"], ["ALL"], ["CAP_KILL"]), (["chown"], ["ALL", "kill"], ["CAP_CHOWN"], ["ALL"]),
            (["chown"], ["CHOWN"], ["CAP_CHOWN"], []),
        ] as [([String], [String], [String], [String])])
    func capabilities(adding: [String], dropping: [String], added: [String], dropped: [String]) {
        let names = CapabilityNames(adding: adding, dropping: dropping)
        #expect(names.added == added && names.dropped == dropped)
    }

    @Test("hosts are added by names and addresses")
    func extraHosts() throws {
        #expect(try ExtraHost(parsing: "db=10.0.0.1").entry == "db:10.0.0.1")
        #expect(try ExtraHost(parsing: "six:[::1]").entry == "six:::1")
        #expect(try ExtraHost(parsing: "up:host-gateway").entry == "up:host-gateway")
        for text in ["", "name", "=1.2.3.4", "name:somewhere", "name:1.2.3"] {
            #expect(throws: Failure.self) { try ExtraHost(parsing: text) }
        }
    }
}

@Suite("Detach keys")
struct DetachKeysTests {
    @Test("are found across reads, and what only begins like them goes through")
    func sequence() throws {
        var keys = try DetachKeys(parsing: "ctrl-p,ctrl-q")
        #expect(keys.filter([0x61, 16]).passed == [0x61])
        #expect(keys.filter([0x62]).passed == [16, 0x62])
        #expect(keys.filter([16, 16]).passed == [16])
        let last = keys.filter([17, 0x63])
        #expect(last.detaches && last.passed.isEmpty)
        #expect(throws: Failure.self) { try DetachKeys(parsing: "ctrl-Ä") }
    }
}
