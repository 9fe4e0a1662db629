import Execution
import Failures
import JSON
import OCI
import Storage
import Testing

@testable import Engine

@Suite struct HostSettingsTests {
    @Test func nothingGivenIsDockersDefault() throws {
        let host = try Fixture.host()
        #expect(host.networkMode == "bridge")
        #expect(host.shmSize == 64 << 20)
        #expect(host.logDriver == "json-file")
        #expect(host.restartPolicy == .never)
        #expect(host.maskedPaths == nil)
        #expect(host.memory == nil)
        #expect(host.json["NetworkMode"] == "bridge")
        #expect(host.json["LogConfig"] == ["Type": "json-file", "Config": [:]])
        #expect(host.json["RestartPolicy"] == ["Name": "no", "MaximumRetryCount": 0])
        #expect(host.json["ShmSize"] == 67_108_864)
    }

    @Test func keysComeInAnyCaseAndUnknownOnesAreKept() throws {
        let host = try Fixture.host(["memory": 16_777_216, "NETWORKMODE": "default", "FutureThing": ["a": 1]])
        #expect(host.memory == 16 << 20)
        #expect(host.networkMode == "bridge")
        #expect(host.json["Memory"] == 16_777_216)
        #expect(host.json["FutureThing"] == ["a": 1])
    }

    @Test func itReadsItselfAgain() throws {
        let host = try Fixture.host([
            "Binds": ["/a:/b"], "LogConfig": ["Type": "json-file", "Config": [:]], "PidsLimit": 10,
            "NanoCpus": 500_000_000,
            "RestartPolicy": ["Name": "on-failure", "MaximumRetryCount": 3],
            "PortBindings": ["80/tcp": [["HostIp": "127.0.0.1", "HostPort": "8080"]], "81/tcp": []], "MaskedPaths": [],
            "Ulimits": [["Name": "nofile", "Soft": 1024, "Hard": 2048]], "Devices": [["PathOnHost": "/dev/fuse"]],
        ])
        #expect(try HostSettings(json: .object(host.json)) == host)
        #expect(host.maskedPaths == [])
        #expect(
            host.devices == [
                Engine.DeviceMapping(pathOnHost: "/dev/fuse", pathInContainer: "/dev/fuse", permissions: "rwm")
            ])
        #expect(host.portBindings["81/tcp"] == [])
    }

    static let refused: [(JSON, String)] = [
        (["Memory": 1024], "Minimum memory limit allowed is 6MB"),
        (
            ["MemorySwap": 1_073_741_824],
            "You should always set the Memory limit when using Memoryswap limit, see usage"
        ),
        (
            ["NanoCpus": 1_000_000_000, "CpuQuota": 5000],
            "Conflicting options: Nano CPUs and CPU Quota cannot both be set"
        ),
        (
            ["RestartPolicy": ["Name": "sometimes"]],
            "invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        ),
        (
            ["RestartPolicy": ["Name": "always", "MaximumRetryCount": 2]],
            "invalid restart policy: maximum retry count can only be used with 'on-failure'"
        ),
        (
            ["AutoRemove": true, "RestartPolicy": ["Name": "always"]],
            "can't create 'AutoRemove' container with restart policy"
        ),
        (
            ["Memory": 67_108_864, "MemoryReservation": 134_217_728],
            "Minimum memory limit can not be less than memory reservation limit, see usage"
        ),
        (["PidMode": "odd"], "invalid PID mode: odd"), (["PidMode": "container:"], "invalid PID mode: container:"),
        (["IpcMode": "odd"], "invalid IPC mode: odd"), (["UTSMode": "container:x"], "invalid UTS mode: container:x"),
        (["UsernsMode": "odd"], "invalid user namespace mode: odd"),
        (["CgroupnsMode": "odd"], "invalid cgroup namespace mode: odd"),
        (["Isolation": "hyperv"], "invalid isolation 'hyperv' on linux"),
        (["Dns": ["abc"]], "invalid DNS server \"abc\": it should be an IP address"),
        (
            ["DeviceRequests": [["Driver": "", "Count": -1, "Capabilities": [["gpu"]]]]],
            "could not select device driver \"\" with capabilities: [[gpu]]"
        ),
        (["VolumeDriver": "far"], "error looking up volume plugin far: plugin \"far\" not found"),
        (["StorageOpt": ["size": "1G"]], "storage option \"size\" is not supported: leave --storage-opt out"),
        (
            ["CpuRealtimeRuntime": 10],
            "real-time scheduling of containers is not supported: leave --cpu-rt-runtime out"
        ),
        (
            ["BlkioDeviceReadBps": [["Path": "/dev/sda", "Rate": 1]]],
            "limits of single devices are not supported: leave --device-read-bps out"
        ),
        (["OomScoreAdj": 5000], "Invalid value 5000, range for oom score adj is [-1000, 1000]"),
        (["Ulimits": [["Name": "bogus", "Soft": 1]]], "invalid ulimit type: bogus"),
        (["Memory": "16m"], "Memory must be a whole number"),
        (["Privileged": "yes"], "Privileged must be true or false"),
        (["Binds": "x"], "Binds must be a list"), (["ShmSize": -1], "SHM size can not be less than 0"),
    ]

    @Test(arguments: refused)
    func refuses(json: JSON, message: String) {
        let error = #expect(throws: Failure.self) { try HostSettings(json: json) }
        #expect(error?.kind == .invalid)
        #expect(error?.message == message)
    }
}

@Suite struct MachineLimitsTests {
    private let machine = MachineLimits(
        processors: NumberList(numbers: [0, 1, 3]), memoryNodes: NumberList(numbers: [0]), hasBlockWeight: true)

    @Test(
        arguments: [
            (["NanoCpus": 4_000_000_000], "range of CPUs is from 0.01 to 3.00, as there are only 3 CPUs available"),
            (["CpusetCpus": "0,2"], "requested CPUs are not available - requested 0,2, available: 0-1,3"),
            (["CpusetCpus": "two"], "invalid value two for cpuset cpus"),
            (["CpusetMems": "1"], "requested memory nodes are not available - requested 1, available: 0"),
            (["BlkioWeight": 5], "range of blkio weight is from 10 to 1000"),
        ] as [(JSON, String)])
    func moreThanThereIsIsRefused(json: JSON, message: String) throws {
        let host = try HostSettings(json: json)
        let error = #expect(throws: Failure.self) { try machine.check(host) }
        #expect(error?.message == message)
    }

    @Test func whatTheKernelCannotDoIsTakenOutWithAWarning() throws {
        var limits = machine
        var host: JSONObject = ["BlkioWeight": 300]
        #expect(limits.discard(from: &host).isEmpty && host["BlkioWeight"] == 300)
        limits.hasBlockWeight = false
        #expect(limits.discard(from: &host).count == 1 && host["BlkioWeight"] == 0)
        try limits.check(try HostSettings(json: ["NanoCpus": 3_000_000_000, "CpusetCpus": "0-1,3"]))
    }

    @Test(arguments: ["", "-", "1-", "3-1", "a", "1,,2", "99999", "-1"])
    func whatIsNoListOfNumbersIsNone(text: String) { #expect(NumberList(text) == nil) }
}

@Suite struct ImageDefaultsTests {
    private func merged(_ own: JSON, _ image: JSON) throws -> ContainerConfig {
        try ContainerConfig(json: own).merged(with: try ImageConfig.Config(json: image))
    }

    @Test func commandReplacesTheImagesAndFollowsItsEntrypoint() throws {
        let image: JSON = ["Entrypoint": ["/entry"], "Cmd": ["default"]]
        #expect(try merged([:], image).processArguments == ["/entry", "default"])
        #expect(try merged(["Cmd": ["mine"]], image).processArguments == ["/entry", "mine"])
        #expect(try merged(["Cmd": "mine"], image).processArguments == ["/entry", "mine"])
        // An entrypoint of one's own takes the image's command away too.
        #expect(try merged(["Entrypoint": ["/mine"]], image).processArguments == ["/mine"])
        #expect(try merged(["Entrypoint": "/mine", "Cmd": ["x"]], image).processArguments == ["/mine", "x"])
        #expect(try merged(["Entrypoint": [""], "Cmd": ["x"]], image).processArguments == ["x"])
        #expect(try merged(["Entrypoint": [], "Cmd": ["x"]], image).processArguments == ["x"])
    }

    @Test func nothingToRunIsRefused() {
        for own in [[:], ["Entrypoint": [""]], ["Cmd": []]] as [JSON] {
            let error = #expect(throws: Failure.self) { try merged(own, [:]) }
            #expect(error?.message == "no command specified")
        }
    }

    @Test func environmentAndLabelsAreLaidOverTheImages() throws {
        let config = try merged(
            ["Cmd": ["x"], "Env": ["A=own", "B"], "Labels": ["k": "own"]],
            [
                "Env": ["A=image", "B=image", "C=image"], "Labels": ["k": "image", "l": "image"],
                "ExposedPorts": ["80": [:]], "WorkingDir": "/w",
            ])
        #expect(config.env == ["A=own", "B", "C=image"])
        #expect(config.labels == ["k": "own", "l": "image"])
        #expect(config.exposedPorts == ["80/tcp"])
        #expect(config.workingDirectory == "/w")
    }

    @Test func healthChecksAreCompletedFromTheImage() throws {
        let config = try merged(
            ["Cmd": ["x"], "Healthcheck": ["Interval": 5_000_000_000]],
            ["Healthcheck": ["Test": ["CMD", "probe"], "Interval": 1_000_000_000, "Retries": 7]])
        #expect(config.healthcheck?.test == ["CMD", "probe"])
        #expect(config.healthcheck?.interval == 5_000_000_000)
        #expect(config.healthcheck?.retries == 7)
    }
}

@Suite struct ContainerRecordTests {
    @Test func itReadsItselfAgain() throws {
        var record = try Fixture.record(
            config: [
                "Image": "alpine", "Cmd": ["sleep", "1"], "Env": ["A=b"], "Labels": ["x": "y"],
                "ExposedPorts": ["80/tcp": [:]],
                "Healthcheck": ["Test": ["CMD", "true"]], "StopTimeout": 3,
            ],
            host: [
                "LogConfig": ["Type": "json-file", "Config": [:]], "Memory": 33_554_432,
                "RestartPolicy": ["Name": "unless-stopped"],
            ])
        var volume = MountPoint(kind: .volume, destination: "/data")
        volume.name = "v"
        volume.isAnonymous = true
        record.mounts = [volume]
        record.networks = [
            NetworkAttachment(settings: EndpointSettings(network: "bridge"), networkName: "bridge", networkID: "n1")
        ]
        try record.lifecycle.beginStart(automatic: false)
        _ = record.lifecycle.started(pid: 7, at: Timestamp(nanoseconds: 5), hasHealthCheck: false)
        _ = record.lifecycle.exited(code: 9, oomKilled: true, at: Timestamp(nanoseconds: 6))
        record.lifecycle.stoppedByHand = true

        let again = try ContainerRecord(row: try record.row())
        #expect(again.config == record.config)
        #expect(again.host == record.host)
        #expect(again.mounts == record.mounts)
        #expect(again.networks == record.networks)
        #expect(again.lifecycle.state == record.lifecycle.state)
        #expect(again.lifecycle.stoppedByHand)
        #expect(again.lifecycle.restartPolicy == RestartPolicy(.unlessStopped))
        #expect(again.snapshot == record.snapshot)
    }

    @Test func aRowThatIsNoRecordIsRefused() throws {
        var row = try Fixture.record().row()
        row.document = Array("{".utf8)
        #expect(throws: Failure.self) { try ContainerRecord(row: row) }
    }
}

@Suite struct SandboxPlanTests {
    private func settings(_ config: JSON, _ host: JSON = [:], mounts: [MountPoint] = []) throws -> SandboxSettings {
        try SandboxPlan(
            config: try ContainerConfig(json: config), host: try HostSettings(json: host), mounts: mounts,
            surroundings: .init(
                hostname: "box",
                cgroup: { parent throws(Failure) in
                    try CgroupPlacement(.systemd, parent: "system.slice").group(of: "x", below: parent)
                }, hostsPath: "/c/hosts", hostnamePath: "/c/hostname",
                resolvConfPath: "/c/resolv.conf",
                volumePath: { "/v/\($0)" },
                pid: { reference throws(Failure) in
                    if reference == "other" { return 99 }
                    throw Failure(.conflict, "not running")
                },
                defaultUlimits: [Ulimit(name: "nofile", soft: 10, hard: -1), Ulimit(name: "nproc", soft: 5, hard: 5)])
        ).settings()
    }

    @Test func aContainersOwnParentTakesThePlaceOfTheDaemons() throws {
        #expect(try settings(["Cmd": ["x"]]).cgroup.path == "system.slice:skiff:x")
        #expect(try settings(["Cmd": ["x"]], ["CgroupParent": "a-b.slice"]).cgroup.path == "a-b.slice:skiff:x")
        let failure = #expect(throws: Failure.self) { try settings(["Cmd": ["x"]], ["CgroupParent": "/a"]) }
        #expect(
            failure?.message == "cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\"")
        #expect(failure?.kind == .invalid)
    }

    @Test func theEnvironmentIsDockersThenTheContainers() throws {
        let plain = try settings(["Cmd": ["x"], "Env": ["A=1", "PATH=/mine", "A=2", "HOSTNAME"]])
        #expect(plain.environment == ["PATH=/mine", "A=2"])
        let tty = try settings(["Cmd": ["x"], "Tty": true])
        #expect(
            tty.environment == [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=box", "TERM=xterm",
            ])
    }

    @Test func limitsAreTranslated() throws {
        let made = try settings(
            ["Cmd": ["x"]],
            [
                "Memory": 67_108_864, "NanoCpus": 1_500_000_000, "PidsLimit": 20,
                "Ulimits": [["Name": "nofile", "Soft": 1, "Hard": 2]],
            ])
        #expect(made.limits.memory == 64 << 20)
        #expect(made.limits.memoryAndSwap == 128 << 20)
        #expect(made.limits.cpuPeriod == 100_000)
        #expect(made.limits.cpuQuota == 150_000)
        #expect(made.limits.pids == 20)
        #expect(made.rlimits == [ResourceLimit("nofile", soft: 1, hard: 2), ResourceLimit("nproc", soft: 5, hard: 5)])
        #expect(try settings(["Cmd": ["x"]], ["PidsLimit": -1]).limits.pids == nil)
        #expect(try settings(["Cmd": ["x"]]).rlimits.first == ResourceLimit("nofile", soft: 10, hard: .max))
    }

    @Test func nameFilesAreMountedUnlessSomethingElseIs() throws {
        var own = MountPoint(kind: .bind, destination: "/etc/hosts")
        own.source = "/mine"
        let made = try settings(["Cmd": ["x"]], mounts: [own])
        #expect(made.mounts.map(\.target) == ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"])
        #expect(made.mounts.last?.kind == .bind(source: "/mine"))
    }

    @Test func volumesAndTmpfsBecomeMounts() throws {
        var volume = MountPoint(kind: .volume, destination: "/data")
        volume.name = "v"
        volume.writable = false
        var tmpfs = MountPoint(kind: .tmpfs, destination: "/t")
        tmpfs.tmpfsSize = 4096
        tmpfs.tmpfsMode = 0o700
        let made = try settings(
            ["Cmd": ["x"]], ["Tmpfs": ["/run": "rw,size=64m", "/ro": "ro"]], mounts: [volume, tmpfs])
        let byTarget = Dictionary(uniqueKeysWithValues: made.mounts.map { ($0.target, $0) })
        #expect(byTarget["/data"]?.kind == .bind(source: "/v/v"))
        #expect(byTarget["/data"]?.readOnly == true)
        #expect(byTarget["/t"]?.options == ["size=4096", "mode=700"])
        #expect(byTarget["/run"]?.options == ["size=64m"])
        #expect(byTarget["/ro"]?.readOnly == true)
    }

    @Test func namespacesOfOthersAreJoinedByTheirProcess() throws {
        let made = try settings(
            ["Cmd": ["x"]],
            ["PidMode": "host", "IpcMode": "container:other", "NetworkMode": "container:other", "UTSMode": "host"])
        #expect(made.namespaces.pid == .host)
        #expect(made.namespaces.ipc == .path("/proc/99/ns/ipc"))
        #expect(made.namespaces.network == .path("/proc/99/ns/net"))
        #expect(made.namespaces.uts == .host)
        #expect(throws: Failure.self) { try settings(["Cmd": ["x"]], ["PidMode": "container:gone"]) }
    }

    @Test func securityOptionsAreTakenOrRefused() throws {
        #expect(
            try settings(["Cmd": ["x"]], ["SecurityOpt": ["seccomp=unconfined", "no-new-privileges"]]).seccomp
                == .unconfined)
        #expect(try settings(["Cmd": ["x"]], ["SecurityOpt": ["no-new-privileges:true"]]).noNewPrivileges)
        #expect(
            try settings(["Cmd": ["x"]], ["SecurityOpt": ["seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}"]]).seccomp
                == .custom(["defaultAction": "SCMP_ACT_ALLOW"]))
        #expect(try settings(["Cmd": ["x"]], ["SecurityOpt": ["apparmor=mine"]]).apparmorProfile == "mine")
        #expect(try settings(["Cmd": ["x"]], ["SecurityOpt": ["apparmor=unconfined"]]).apparmorProfile == nil)
        for bad in ["seccomp={", "bogus", "no-new-privileges=maybe", "label=type:mine", "x=y"] {
            #expect(throws: Failure.self) { try settings(["Cmd": ["x"]], ["SecurityOpt": [.string(bad)]]) }
        }
    }

    @Test(arguments: ["", "c", "c 1:2", "c 1:2 rwx", "d 1:2 r", "c 1 r", "c -1:2 r", "c 1:99999999999 r", "c  1:2 r"])
    func badDeviceRulesAreRefused(rule: String) {
        #expect(throws: Failure.self) { try SandboxPlan.deviceRule(rule) }
    }

    @Test func deviceRulesKnowAnyNumber() throws {
        #expect(try SandboxPlan.deviceRule("c 10:* rwm") == DeviceRule(type: "c", major: 10, minor: nil, access: "rwm"))
    }
}
