import CLinux
import JSON
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Programs of filters that are kept beside the text they follow from.
@Suite struct KeptFilterTests {
    private let folder = "/tmp/skiff-filters-\(UInt32.random(in: 0...UInt32.max))"

    private func text(_ name: String, action: String = "SCMP_ACT_ERRNO", besides: String = "") -> ArraySlice<UInt8> {
        Array(
            #"{"defaultAction":"SCMP_ACT_ALLOW"\#(besides),"syscalls":[{"names":["\#(name)"],"action":"\#(action)"}]}"#
                .utf8)[...]
    }

    private func files() throws -> [String] {
        guard let directory = try? open(folder, O_RDONLY | O_DIRECTORY) else { return [] }
        return try readDirectory(directory.raw).map { folder + "/" + $0.name.text }
    }

    @Test func aKeptProgramIsTheOneThatWasCompiled() throws {
        defer { try? removeTree(folder) }
        let filters = SeccompFilter(cache: folder)
        let flags = #","flags":["SECCOMP_FILTER_FLAG_LOG"]"#
        let first = try filters.program(forText: text("mkdir", besides: flags))
        #expect(first.seccomp.rules.count == 1)
        let again = try filters.program(forText: text("mkdir", besides: flags))
        #expect(again.program == first.program)
        // Taken from the file: the rules were not read again, what says how it is installed was.
        #expect(again.seccomp.rules.isEmpty && again.seccomp.flags == ["SECCOMP_FILTER_FLAG_LOG"])
        #expect(try SeccompInstallation(again.seccomp) == SeccompInstallation(first.seccomp))
        #expect(try filters.program(forText: text("mknod", besides: flags)).program != first.program)
        #expect(try files().count == 2)
    }

    /// Its rules are asked for where somebody is told of calls.
    @Test func aKeptListenerIsAListenerStill() throws {
        defer { try? removeTree(folder) }
        let filters = SeccompFilter(cache: folder)
        let told = text(
            "mkdir", action: "SCMP_ACT_NOTIFY", besides: #","listenerPath":"/run/x","listenerMetadata":"m""#)
        let first = try filters.program(forText: told), again = try filters.program(forText: told)
        #expect(again.program == first.program && again.seccomp == first.seccomp)
        #expect(try SeccompInstallation(again.seccomp).notifies)
    }

    @Test func aFileThatIsNotWhollyThatOfTheTextIsNoFilter() throws {
        defer { try? removeTree(folder) }
        let filters = SeccompFilter(cache: folder)
        let program = try filters.program(forText: text("mkdir")).program
        let file = try #require(try files().first)
        let kept = try readFile(file)
        // Torn anywhere, or of another text with the same hash.
        for length in stride(from: 0, to: kept.count, by: 7) {
            try writeFile(file, Array(kept[..<length]))
            #expect(try filters.program(forText: text("mkdir")).program == program)
        }
        var other = kept
        let place = try #require(other.firstRange(of: Array("mkdir".utf8))?.lowerBound)
        other[place] = UInt8(ascii: "x")
        other[other.count - 1] ^= 1
        try writeFile(file, other)
        #expect(try filters.program(forText: text("mkdir")).program == program)
    }

    @Test(arguments: ["{}", "[", #"{"defaultAction":1}"#, #"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[}]}"#])
    func whatIsNoFilterIsNamed(text: String) throws {
        defer { try? removeTree(folder) }
        #expect {
            try SeccompFilter(cache: folder).program(forText: Array(text.utf8)[...])
        } throws: {
            "\($0)".contains("linux.seccomp")
        }
        #expect(try files().isEmpty)
    }

    /// Who enters is told what holds for its process as well, and nothing of how the container was made.
    @Test func aDocumentForEntryIsWithoutWhatMadeTheContainer() throws {
        let text = Array(
            """
            {"ociVersion":"1.0.2","root":{"path":"r"},
             "process":{"cwd":"/","args":["a"],"env":["A=1"],"user":{"uid":1,"gid":2},"noNewPrivileges":true,
              "rlimits":[{"type":"RLIMIT_CORE","soft":1,"hard":2}],"capabilities":{"bounding":["CAP_KILL"]}},
             "mounts":[{"destination":"/proc","type":"proc","source":"proc"}],
             "hooks":{"poststart":[{"path":"/h"}]},
             "linux":{"uidMappings":[{"containerID":0,"hostID":1,"size":2}],"personality":{"domain":"LINUX32"},
              "namespaces":[{"type":"pid"}],"resources":{"pids":{"limit":1}},"sysctl":{"net.a":"1"},
              "devices":[{"path":"/dev/x","type":"c","major":1,"minor":2}],
              "maskedPaths":["/m"],"readonlyPaths":["/n"]}}
            """.utf8)
        var spec = try RuntimeDocument(text).spec
        #expect(try RuntimeDocument(text, isForEntry: true).spec != spec)
        spec.mounts = []
        spec.hooks = RuntimeSpec.Hooks()
        spec.linux.namespaces = []
        spec.linux.resources = RuntimeSpec.Resources()
        spec.linux.devices = []
        spec.linux.maskedPaths = []
        spec.linux.readonlyPaths = []
        spec.linux.sysctl = [:]
        #expect(try RuntimeDocument(text, isForEntry: true).spec == spec)
    }

    /// A document is the same, whether its filter is read or found.
    @Test func aDocumentIsWhatItWasWithItsFilterAsText() throws {
        let seccomp = String(decoding: text("mkdir"), as: UTF8.self)
        for name in ["seccomp", "Seccomp"] {
            let document = Array(
                #"{"ociVersion":"1.0.2","root":{"path":"r"},"linux":{"\#(name)":\#(seccomp),"cgroupsPath":"/a"}}"#.utf8)
            let read = try RuntimeDocument(document)
            var spec = read.spec
            let filter = try #require(try read.filter(by: SeccompFilter(cache: nil)))
            spec.linux.seccomp = filter.seccomp
            #expect(try spec == RuntimeSpec(json: JSON.parse(document)))
        }
    }
}
