import Failures
import Testing

@testable import Engine

@Suite struct MountPlanTests {
    private func points(_ input: MountPlan.Input, existing: Set<String> = []) throws -> [MountPoint] {
        var number = 0
        return try MountPlan.points(
            input,
            anonymousName: {
                number += 1
                return "anonymous\(number)"
            }, sourceExists: { existing.contains($0) })
    }

    @Test func aHostPathIsMadeWhenMissingAndMountedPrivately() throws {
        let point = try MountPlan.parse(bind: "/srv/../data//x:/data/:ro")
        #expect(point.kind == .bind)
        #expect(point.source == "/data/x")
        #expect(point.destination == "/data")
        #expect(!point.writable)
        #expect(point.createsSource)
        #expect(point.propagation == "rprivate")
    }

    @Test func aNameIsAVolume() throws {
        let point = try MountPlan.parse(bind: "data:/data:nocopy,ro")
        #expect(point.kind == .volume)
        #expect(point.name == "data")
        #expect(!point.copiesUp)
        #expect(!point.writable)
        #expect(try MountPlan.parse(bind: "data:/data").copiesUp)
    }

    @Test(arguments: [
        ("", "invalid volume specification: ''"), ("/a:/b:/c:/d", "invalid volume specification: '/a:/b:/c:/d'"),
        ("/a:", "invalid volume specification: '/a:'"), (":/a", "invalid volume specification: ':/a'"),
        ("/foo:ro", "invalid volume specification: '/foo:ro'"), ("/a:/b:bogus", "invalid mode: bogus"),
        ("/a:/b:ro,rw", "invalid mode: ro,rw"), ("/a:/b:nocopy", "invalid mode: nocopy"),
        ("vol:/b:shared", "invalid mode: shared"),
        ("/a:/", "invalid volume specification: '/a:/': invalid specification: destination can't be '/'"),
        ("/a:/x/..", "invalid volume specification: '/a:/x/..': invalid specification: destination can't be '/'"),
        ("/a:b", "invalid volume specification: '/a:b': invalid mount path: 'b' mount path must be absolute"),
        (
            "./a:/b",
            "create ./a: \"./a\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
        ),
    ])
    func refusesInDockersWords(bind: String, message: String) {
        let error = #expect(throws: Failure.self) { try MountPlan.parse(bind: bind) }
        #expect(error?.kind == .invalid)
        #expect(error?.message == message)
    }

    @Test func twoMountsAtOnePlaceAreRefused() {
        let error = #expect(throws: Failure.self) { try points(.init(binds: ["/a:/x", "/b:/x/"])) }
        #expect(error?.message == "Duplicate mount point: /x")
        #expect(throws: Failure.self) { try points(.init(binds: ["/a:/x"], tmpfs: ["/x"])) }
    }

    @Test func anImagesVolumeGivesWayToWhatWasAskedFor() throws {
        let result = try points(.init(binds: ["/a:/data"], volumes: ["/data/", "/cache", "/tmp"], tmpfs: ["/tmp"]))
        #expect(result.map(\.destination) == ["/data", "/cache"])
        #expect(result.last?.isAnonymous == true)
        #expect(result.last?.name == "anonymous1")
    }

    @Test func aLongBindMustExistAndAShortOneNeedNot() throws {
        var mount = MountRequest()
        mount.type = "bind"
        mount.source = "/nowhere"
        mount.target = "/x"
        let error = #expect(throws: Failure.self) { try points(.init(mounts: [mount])) }
        #expect(error?.message == "invalid mount config for type \"bind\": bind source path does not exist: /nowhere")
        #expect(try points(.init(mounts: [mount]), existing: ["/nowhere"]).count == 1)
        mount.createMountpoint = true
        #expect(try points(.init(mounts: [mount])).first?.createsSource == true)
    }

    @Test(arguments: [
        ("bind", "", "/x"), ("bind", "relative", "/x"), ("volume", "a/b", "/x"), ("volume", "ok", ""),
        ("volume", "ok", "rel"),
        ("tmpfs", "/src", "/x"), ("npipe", "", "/x"), ("volume", "ok", "/"),
    ])
    func refusesLongForms(type: String, source: String, target: String) {
        var mount = MountRequest()
        (mount.type, mount.source, mount.target) = (type, source, target)
        let error = #expect(throws: Failure.self) { try points(.init(mounts: [mount]), existing: ["relative"]) }
        #expect(error?.kind == .invalid)
    }

    @Test func subpathsStayInside() {
        for subpath in ["/abs", "../up", "a/../../b"] {
            var mount = MountRequest()
            (mount.source, mount.target, mount.subpath) = ("data", "/x", subpath)
            #expect(throws: Failure.self) { try points(.init(mounts: [mount])) }
        }
    }

    @Test func volumesOfAnotherContainerComeAlongReadOnlyAndAreNotOurs() throws {
        var other = MountPoint(kind: .volume, destination: "/data")
        other.name = "theirs"
        other.isAnonymous = true
        let result = try points(.init(volumes: ["/data"], inherited: [([other], "ro")]))
        #expect(result.count == 1)
        #expect(result[0].name == "theirs")
        #expect(!result[0].writable)
        #expect(!result[0].isAnonymous)
        // What is asked for at the same place wins.
        let own = try points(.init(binds: ["/a:/data"], inherited: [([other], "")]))
        #expect(own.map(\.source) == ["/a"])
    }

    @Test(arguments: [("/a/./b//c/..", "/a/b"), ("/../..", "/"), ("/", "/"), ("/a/", "/a")])
    func cleansPaths(path: String, clean: String) { #expect(MountPlan.clean(path) == clean) }
}
