import DBus
import OCI
import Testing

@testable import ContainerRuntime

/// What systemd is told, without a systemd.
@Suite struct SystemdTests {
    // MARK: Names

    @Test(arguments: [
        ("system.slice", "/system.slice"), ("a-b.slice", "/a.slice/a-b.slice"),
        ("user-1000-x.slice", "/user.slice/user-1000.slice/user-1000-x.slice"), ("-.slice", ""),
        ("a\\x2db.slice", "/a\\x2db.slice"),
    ])
    func aSliceLiesInTheSlicesOfItsName(_ slice: String, _ path: String) throws {
        #expect(try ScopeName.path(of: slice) == path)
    }

    @Test(arguments: [
        "", ".slice", "a", "a.scope", "a/b.slice", "../a.slice", "-a.slice", "a-.slice", "a--b.slice", "a b.slice",
    ])
    func whatIsNoSliceIsRefused(_ slice: String) {
        #expect(throws: RuntimeFailure.self) { try ScopeName.path(of: slice) }
    }

    @Test func theGroupsPathNamesSliceAndUnit() throws {
        let named = try ScopeName("machine-x.slice:libpod:abc", id: "id", isUser: false)
        #expect(named.unit == "libpod-abc.scope")
        #expect(named.path == "/machine.slice/machine-x.slice/libpod-abc.scope")
        let own = try ScopeName(nil, id: "box", isUser: false)
        #expect(own.path == "/system.slice/skiff-box.scope")
        #expect(try ScopeName("", id: "box", isUser: true).slice == "user.slice")
        #expect(try ScopeName("::abc", id: "id", isUser: false).path == "/system.slice/abc.scope")
    }

    @Test func whatAUnitsNameDoesNotTakeIsEscaped() throws {
        #expect(ScopeName.escaped("a+b c") == "a\\x2bb\\x20c")
        #expect(ScopeName.escaped(".a.b") == "\\x2ea.b")
        #expect(ScopeName.escaped("é\n") == "\\xc3\\xa9\\x0a")
        #expect(ScopeName.escaped("a\\x2db:1@2_3-4") == "a\\x2db:1@2_3-4")
        #expect(try ScopeName(nil, id: "a+b", isUser: false).unit == "skiff-a\\x2bb.scope")
        #expect(try ScopeName("x.slice:p:a/../b", id: "i", isUser: false).unit == "p-a\\x2f..\\x2fb.scope")
    }

    @Test(arguments: ["/skiff/abc", "a:b", "a:b:c:d", "x.slice:p:", "x.slice:p:y.slice", "../x.slice:p:n", "x:p:n"])
    func aPathOfAnotherFormIsRefused(_ path: String) {
        #expect(throws: RuntimeFailure.self) { try ScopeName(path, id: "id", isUser: false) }
    }

    @Test func aNameThatIsTooLongIsRefused() throws {
        #expect(try ScopeName(nil, id: String(repeating: "a", count: 243), isUser: false).unit.utf8.count == 255)
        #expect(throws: RuntimeFailure.self) {
            try ScopeName(nil, id: String(repeating: "a", count: 244), isUser: false)
        }
    }

    // MARK: Properties

    private func limits(
        v1: Bool = false, version: Int = 252, present: PresentLimits = PresentLimits(),
        _ change: (inout RuntimeSpec.Resources) -> Void
    ) throws -> [String: DBusValue] {
        var resources = RuntimeSpec.Resources()
        change(&resources)
        let list = try UnitProperties(isV1: v1, version: version).limits(resources, present: present)
        return Dictionary(list.map { ($0.name, $0.value) }) { _, last in last }
    }

    @Test func nothingAskedForIsNothingSaid() throws { #expect(try limits { _ in }.isEmpty) }

    @Test func memoryIsTranslatedForBothVersions() throws {
        let ask: (inout RuntimeSpec.Resources) -> Void = {
            ($0.memory.limit, $0.memory.swap, $0.memory.reservation) = (100, 150, 50)
        }
        #expect(
            try limits(ask) == ["MemoryMax": .uint64(100), "MemorySwapMax": .uint64(50), "MemoryLow": .uint64(50)])
        #expect(try limits(v1: true, ask) == ["MemoryLimit": .uint64(100)])
        #expect(
            try limits { $0.memory.limit = -1 } == ["MemoryMax": .uint64(.max), "MemorySwapMax": .uint64(.max)])
        #expect(try limits(present: .init(memory: 100)) { $0.memory.swap = 130 } == ["MemorySwapMax": .uint64(30)])
        #expect(try limits { $0.memory.swap = 0 } == ["MemorySwapMax": .uint64(0)])
        // The files refuse it, with a line that says why.
        #expect(try limits { ($0.memory.limit, $0.memory.swap) = (100, 50) } == ["MemoryMax": .uint64(100)])
    }

    @Test func aQuotaIsMicrosecondsOfASecondRoundedUpToAHundredth() throws {
        #expect(
            try limits { ($0.cpu.quota, $0.cpu.period) = (25_500, 50_000) }
                == ["CPUQuotaPerSecUSec": .uint64(510_000), "CPUQuotaPeriodUSec": .uint64(50_000)])
        #expect(try limits { $0.cpu.quota = 1001 } == ["CPUQuotaPerSecUSec": .uint64(20_000)])
        #expect(try limits { $0.cpu.quota = -1 } == ["CPUQuotaPerSecUSec": .uint64(.max)])
        #expect(try limits { $0.cpu.quota = .max } == ["CPUQuotaPerSecUSec": .uint64(.max)])
        #expect(
            try limits(present: .init(quota: 20_000, period: 100_000)) { $0.cpu.period = 50_000 }
                == ["CPUQuotaPerSecUSec": .uint64(400_000), "CPUQuotaPeriodUSec": .uint64(50_000)])
        #expect(
            try limits(present: .init(period: 50_000)) { $0.cpu.quota = 5000 }
                == ["CPUQuotaPerSecUSec": .uint64(100_000)])
        #expect(
            try limits(version: 241) { ($0.cpu.quota, $0.cpu.period) = (5000, 50_000) }
                == ["CPUQuotaPerSecUSec": .uint64(100_000)])
    }

    @Test func processorsAreASetOfBits() throws {
        #expect(
            try limits { ($0.cpu.cpus, $0.cpu.mems) = ("0-2,9,17", "0") }
                == ["AllowedCPUs": .bytes([0b111, 0b10, 0b10]), "AllowedMemoryNodes": .bytes([1])])
        #expect(try limits(version: 243) { $0.cpu.cpus = "0" }.isEmpty)
        #expect(throws: RuntimeFailure.self) { try limits { $0.cpu.cpus = "0-99999999" } }
    }

    @Test func weightsAndTasksAreTranslated() throws {
        #expect(
            try limits { ($0.cpu.shares, $0.pidsLimit, $0.blockIO.weight) = (1024, 10, 1000) }
                == ["CPUWeight": .uint64(100), "TasksMax": .uint64(10), "IOWeight": .uint64(10_000)])
        #expect(
            try limits(v1: true) { ($0.cpu.shares, $0.pidsLimit, $0.blockIO.weight) = (1024, -1, 1000) }
                == ["CPUShares": .uint64(1024), "TasksMax": .uint64(.max), "BlockIOWeight": .uint64(1000)])
        #expect(try limits { $0.cpu.idle = 1 } == ["CPUWeight": .uint64(0)])
        #expect(try limits(version: 251) { $0.cpu.idle = 1 }.isEmpty)
    }

    @Test func unifiedFilesThatArePropertiesAreBoth() throws {
        #expect(
            try limits {
                $0.unified = [
                    "memory.high": "1000", "memory.max": "max", "pids.max": "5", "cpu.max": "20000 100000",
                    "cpuset.cpus": "1", "io.weight": "default 50", "cpu.weight": "7", "hugetlb.2MB.max": "0",
                    "memory.min": "nonsense",
                ]
            } == [
                "MemoryHigh": .uint64(1000), "MemoryMax": .uint64(.max), "TasksMax": .uint64(5),
                "CPUQuotaPerSecUSec": .uint64(200_000), "CPUQuotaPeriodUSec": .uint64(100_000),
                "AllowedCPUs": .bytes([2]), "IOWeight": .uint64(50), "CPUWeight": .uint64(7),
            ])
        #expect(try limits { $0.unified = ["cpu.max": "max"] } == ["CPUQuotaPerSecUSec": .uint64(.max)])
    }

    @Test func aScopeIsDelegatedAndHasItsProcess() throws {
        let name = try ScopeName("a.slice:p:n", id: "n", isUser: false)
        let list = UnitProperties(isV1: false, version: 252).scope(name, id: "n", pid: 7)
        let properties = Dictionary(list.map { ($0.name, $0.value) }) { first, _ in first }
        #expect(properties["Delegate"] == .boolean(true))
        #expect(properties["PIDs"] == .array(of: .uint32, [.uint32(7)]))
        #expect(properties["Slice"] == .string("a.slice"))
        #expect(properties["DefaultDependencies"] == .boolean(false))
        #expect(properties["CollectMode"] == .string("inactive-or-failed"))
        #expect(properties["IOAccounting"] == .boolean(true))
        #expect(
            UnitProperties(isV1: true, version: 230).scope(name, id: "n", pid: 7).map(\.name).filter {
                ["IOAccounting", "BlockIOAccounting", "CollectMode"].contains($0)
            } == ["BlockIOAccounting"])
    }

    @Test func annotationsAreProperties() throws {
        let list = try UnitProperties.annotated([
            "org.systemd.property.TimeoutStopUSec": "uint64 5000", "org.systemd.property.TimeoutStartSec": "1.5",
            "org.systemd.property.After": "['a.service']", "org.other": "'x'",
        ])
        #expect(
            list == [
                UnitProperty("After", .array(of: .string, [.string("a.service")])),
                UnitProperty("TimeoutStartUSec", .uint64(1_500_000)), UnitProperty("TimeoutStopUSec", .uint64(5000)),
            ])
        for (name, value) in [
            ("TimeoutStopSec", "'x'"), ("TimeoutStopSec", "-1"), ("a b", "1"), ("", "1"), ("Ok", "1"), ("Fine", "blah"),
            ("TimeoutStopSec", "1e300"),
        ] {
            #expect(throws: RuntimeFailure.self) {
                try UnitProperties.annotated(["org.systemd.property." + name: value])
            }
        }
    }

    /// CVE-2024-3154: an annotation reaches no other process or unit, and gives no rights or limits.
    @Test(arguments: [
        ("PIDs", "[uint32 1]"), ("Slice", "'-.slice'"), ("OnFailure", "['evil.service']"),
        ("Wants", "['evil.service']"),
        ("SuccessAction", "'reboot-force'"), ("DevicePolicy", "'auto'"), ("Delegate", "true"),
        ("MemoryMax", "uint64 18446744073709551615"), ("JobTimeoutAction", "'reboot'"), ("MemoryMaxSec", "1"),
    ]) func anAnnotationInjectsNothing(name: String, value: String) {
        #expect(throws: RuntimeFailure.self) {
            try UnitProperties.annotated(["org.systemd.property." + name: value])
        }
    }

    // MARK: Devices

    @Test func devicesAreWhatIsLeftAllowed() {
        let rules = DeviceAccess.list(for: [
            .init(allow: true, type: "c", major: 10, minor: 200), .init(allow: true, type: "b", major: 8),
            .init(allow: false, type: "b", access: "w"), .init(allow: true, type: "c", major: 7, minor: 1, access: "r"),
            .init(allow: false, type: "c", major: 7),
        ])
        let list = UnitDevices.properties(rules)
        #expect(list[0] == UnitProperty("DevicePolicy", .string("strict")))
        guard case .array(_, let entries) = list[2].value else {
            Issue.record("no list")
            return
        }
        func has(_ name: String, _ access: String) -> Bool {
            entries.contains(.structure([.string(name), .string(access)]))
        }
        #expect(has("/dev/char/10:200", "rwm"))
        #expect(has("block-8", "rm"))
        #expect(has("char-*", "m"))
        #expect(has("char-136", "rwm"))
        #expect(!entries.contains { "\($0)".contains("7:1") })
    }

    @Test func aPrivilegedContainersDevicesAreNotRestricted() {
        let list = UnitDevices.properties(DeviceAccess.list(for: [.init(allow: true)]))
        #expect(list.map(\.name) == ["DevicePolicy", "DeviceAllow"])
        #expect(list[0].value == .string("auto"))
    }

    // MARK: Places

    @Test func busesAreFoundByTheirAddresses() {
        #expect(
            BusAddress.list(
                "unix:path=/run/user/1000/bus,guid=1a;tcp:host=x;unix:abstract=/tmp/dbus%2dx;unix:path=%zz;unix:path=rel"
            )
                == [
                    BusAddress(path: "/run/user/1000/bus"), BusAddress(path: "/tmp/dbus-x", isAbstract: true),
                ])
        #expect(BusAddress.list("unix:path=/a%00b;unix:path=/a%2;:;=").isEmpty)
    }

    @Test func aUsersManagerIsAskedInItsOwnFolder() {
        let system = BusAddress.systemd(ofUser: false, uid: 0) { _ in nil }
        #expect(system.map(\.path) == ["/run/systemd/private", "/run/dbus/system_bus_socket"])
        #expect(system.map(\.isBus) == [false, true])
        let user = BusAddress.systemd(ofUser: true, uid: 1000) {
            $0 == "DBUS_SESSION_BUS_ADDRESS" ? "unix:path=/b" : ""
        }
        #expect(user.map(\.path) == ["/run/user/1000/systemd/private", "/b", "/run/user/1000/bus"])
    }

    @Test func theGroupOfAProcessIsSystemdsOwn() {
        let hybrid = "2:cpu,cpuacct:/x\n1:name=systemd:/system.slice/a.scope\n0::/system.slice/b.scope\n"
        #expect(SystemdScope.path(in: hybrid, isV1: true) == "/system.slice/a.scope")
        #expect(SystemdScope.path(in: hybrid, isV1: false) == "/system.slice/b.scope")
        #expect(SystemdScope.path(in: "2:memory:/x\n", isV1: true) == nil)
    }

    /// crun puts a container into a group of its own below the unit's.
    @Test func theUnitsOwnGroupIsFoundAboveAProcesss() {
        let scope = SystemdScope(unit: "skiff-a.scope", isUser: false)
        #expect(scope.ownPath(in: "/x.slice/skiff-a.scope") == "/x.slice/skiff-a.scope")
        #expect(scope.ownPath(in: "/host/x.slice/skiff-a.scope/container/b") == "/host/x.slice/skiff-a.scope")
        #expect(scope.ownPath(in: "/x.slice/skiff-a.scope2") == nil)
        #expect(scope.ownPath(in: "/system.slice/skiffd.service") == nil)
    }
}
