internal import DockerAPI
internal import Failures
internal import JSON
internal import Testing

@testable internal import Commands

@Suite("Values")
struct ValueTests {
    @Test(
        "sizes are read",
        arguments: [
            ("64m", 64 << 20), ("1.5g", 3 << 29), ("2048", 2048), ("1k", 1024), ("1KiB", 1024), ("1 MB", 1 << 20),
            ("0", 0),
            ("10b", 10), ("1T", 1 << 40),
        ] as [(String, Int64)])
    func sizes(text: String, bytes: Int64) throws { #expect(try ByteSize.parse(text) == bytes) }

    @Test("what is no size is refused", arguments: ["", "m", "-1", "1x", "1.2.3", "1mm", "999999999999g"])
    func badSizes(text: String) { #expect(throws: Failure.self) { try ByteSize.parse(text) } }

    @Test(
        "sizes are shown as Docker shows them",
        arguments: [
            (0, "0B"), (5, "5B"), (999, "999B"), (1000, "1kB"), (4_090_000, "4.09MB"), (77_800_000, "77.8MB"),
            (123_456_789, "123MB"), (1_340_000_000, "1.34GB"),
        ] as [(Int64, String)])
    func shownSizes(bytes: Int64, text: String) { #expect(ByteSize.decimal(bytes) == text) }

    @Test("memory is shown in binary multiples")
    func binarySizes() {
        #expect(ByteSize.binary(2_095_972_352) == "1.952GiB")
        #expect(ByteSize.binary(64 << 20) == "64MiB")
    }

    @Test(
        "durations are read",
        arguments: [
            ("0", 0), ("1s", 1_000_000_000), ("1h30m", 5_400_000_000_000), ("300ms", 300_000_000),
            ("-1.5s", -1_500_000_000),
        ] as [(String, Int64)])
    func durations(text: String, nanoseconds: Int64) throws { #expect(try GoDuration.parse(text) == nanoseconds) }

    @Test("what is no duration is refused", arguments: ["", "1", "s", "1x", "1s2", "--1s"])
    func badDurations(text: String) { #expect(throws: Failure.self) { try GoDuration.parse(text) } }

    @Test(
        "time that has passed is told as Docker tells it",
        arguments: [
            (0, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "About a minute"),
            (119, "About a minute"),
            (120, "2 minutes"), (3599, "59 minutes"), (3600, "About an hour"), (7200, "2 hours"), (86_400, "24 hours"),
            (172_800, "2 days"), (86_400 * 14, "2 weeks"), (86_400 * 60, "2 months"), (86_400 * 365 * 2, "2 years"),
        ] as [(Int64, String)])
    func human(seconds: Int64, text: String) { #expect(GoDuration.human(seconds: seconds) == text) }

    @Test(
        "moments are read",
        arguments: [
            ("2023-11-14T22:13:20Z", 1_700_000_000, 0), ("2023-11-14T23:13:20.5+01:00", 1_700_000_000, 500_000_000),
            ("2023-11-14T17:13:20.000000001-05:00", 1_700_000_000, 1), ("1700000000", 1_700_000_000, 0),
            ("1700000000.25", 1_700_000_000, 250_000_000), ("10m", 1_699_999_400, 0),
        ] as [(String, Int64, Int64)])
    func moments(text: String, seconds: Int64, nanoseconds: Int64) throws {
        let moment = try Moment(typed: text, now: Moment(seconds: 1_700_000_000))
        #expect(moment == Moment(seconds: seconds, nanoseconds: nanoseconds))
    }

    @Test("what is no moment is refused", arguments: ["", "yesterday", "2023-13-01", "2023-11-14T25:00:00Z", "1.2.3"])
    func badMoments(text: String) {
        #expect(throws: Failure.self) { try Moment(typed: text, now: Moment(seconds: 0)) }
    }

    @Test("base64 goes both ways in both alphabets")
    func base64() {
        for count in 0..<40 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 200) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
            #expect(Base64.decode(Base64.encode(bytes, urlSafe: true)) == bytes)
        }
        #expect(Base64.encode(Array("user:pass".utf8)) == "dXNlcjpwYXNz")
        #expect(Base64.encode([0xFB, 0xFF], urlSafe: true) == "-_8=")
        #expect(Base64.decode("a") == nil && Base64.decode("a*b=") == nil)
    }

    @Test("filters are sent as Docker's client sends them")
    func filters() throws {
        #expect(
            try Filters.json(["label=a=b", "Status = running", "label=c"]).text
                == #"{"label":{"a=b":true,"c":true},"status":{"running":true}}"#)
        #expect(throws: Failure.self) { try Filters.json(["nonsense"]) }
    }

    @Test("an env file's lines are read, comments and empty lines are not")
    func envFile() throws {
        let text = "# comment\n\nA=1\n  B=two words \nHOME\n"
        #expect(try EnvironmentList.lines(in: text, of: "f") == ["A=1", "B=two words ", "HOME"])
        #expect(throws: Failure.self) { try EnvironmentList.lines(in: "a b=c", of: "f") }
    }
}

@Suite("Ports, mounts, networks")
struct SpecTests {
    @Test(
        "ports are read",
        arguments: [
            ("80", ["80/tcp=:"]), ("8080:80", ["80/tcp=:8080"]), ("127.0.0.1:8080:80/udp", ["80/udp=127.0.0.1:8080"]),
            ("127.0.0.1::80", ["80/tcp=127.0.0.1:"]), ("[::1]:8080:80", ["80/tcp=::1:8080"]),
            ("8000-8001:80-81", ["80/tcp=:8000", "81/tcp=:8001"]), ("8000-8005:80", ["80/tcp=:8000-8005"]),
            ("80-81/UDP", ["80/udp=:", "81/udp=:"]), ("target=80,published=8080,protocol=udp", ["80/udp=:8080"]),
        ] as [(String, [String])])
    func ports(text: String, expected: [String]) throws {
        let shown = try PortSpec(parsing: text).bindings.map {
            "\($0.port)=\($0.binding.hostIP):\($0.binding.hostPort)"
        }
        #expect(shown == expected)
    }

    @Test(
        "what is no port is refused",
        arguments: [
            "", ":", "x", "80:", "70000", "80/xyz", "1-2:3-5", "[::1:80", "a:b:c:80x", "5-4", "target=",
            "publish=1,target=2",
        ])
    func badPorts(text: String) { #expect(throws: Failure.self) { try PortSpec(parsing: text) } }

    @Test("ports are shown as ps shows them")
    func portList() throws {
        let ports = try JSON.parse(
            """
            [{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},{"IP":"::","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},
             {"PrivatePort":443,"Type":"tcp"},{"IP":"0.0.0.0","PrivatePort":9001,"PublicPort":9001,"Type":"udp"},
             {"IP":"0.0.0.0","PrivatePort":9000,"PublicPort":9000,"Type":"udp"}]
            """)
        #expect(
            PortList.text(ports.arrayValue ?? [])
                == "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 443/tcp, 0.0.0.0:9000-9001->9000-9001/udp")
    }

    @Test("mounts are read")
    func mounts() throws {
        let bind = try MountSpec.parse("type=bind,source=/a,target=/b,readonly,bind-propagation=rslave")
        #expect(bind.type == "bind" && bind.source == "/a" && bind.target == "/b" && bind.readOnly == true)
        #expect(bind.bindOptions?.propagation == "rslave")
        let volume = try MountSpec.parse("src=data,dst=/data,volume-label=a=b,\"volume-opt=o=uid=1,gid=2\"")
        #expect(volume.type == "volume" && volume.volumeOptions?.labels == ["a": "b"])
        #expect(volume.volumeOptions?.driverConfig?.options == ["o": "uid=1,gid=2"])
        let tmpfs = try MountSpec.parse("type=tmpfs,target=/t,tmpfs-size=64m,tmpfs-mode=1770")
        #expect(tmpfs.tmpfsOptions?.sizeBytes == 64 << 20 && tmpfs.tmpfsOptions?.mode == 0o1770)
    }

    @Test(
        "what is no mount is refused",
        arguments: [
            "", "type=bind,target=/b", "type=nope,target=/b", "source=/a", "type=tmpfs,target=/t,volume-nocopy",
            "target=/a,x=1",
            "target=/a,readonly=maybe", "\"target=/a",
        ])
    func badMounts(text: String) { #expect(throws: Failure.self) { try MountSpec.parse(text) } }

    @Test("networks are read")
    func networks() throws {
        #expect(try NetworkSpec(parsing: "host").isNamed == false)
        let spec = try NetworkSpec(parsing: "name=front,alias=web,ip=10.0.0.5")
        #expect(spec.isNamed && spec.settings.aliases == ["web"] && spec.settings.ipamConfig?.ipv4Address == "10.0.0.5")
        #expect(throws: Failure.self) { try NetworkSpec(parsing: "alias=x") }
    }
}
