import JSON
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Programs at the six points of a container's life.
@Suite(.serialized, .enabled(if: Bundle.canRun, "namespaces and mounts need root"))
struct HookTests {
    private let bundle: Bundle

    init() throws { bundle = try Bundle() }

    /// A hook that writes a word, its namespace of processes and the state it was given.
    private func note(_ word: String, in file: String? = nil) -> RuntimeSpec.Hook {
        let file = file ?? bundle.path + "/notes"
        return RuntimeSpec.Hook(
            path: "/bin/sh",
            arguments: ["sh", "-c", "echo \(word) $(readlink /proc/self/ns/mnt) $HOOK $(pwd) $(cat) >> \(file)"],
            environment: ["PATH=/bin:/usr/bin", "HOOK=\(word)-hook"])
    }

    private func notes() throws -> [[String]] {
        try readText(bundle.path + "/notes").split(separator: "\n").map {
            $0.split(separator: " ", maxSplits: 4).map(String.init)
        }
    }

    @Test func hooksRunInOrderWithTheStateOnStandardInput() throws {
        defer { bundle.remove() }
        let pid = try bundle.create("echo program >> /tmp/inside") { spec in
            spec.annotations = ["org.example.a": "b"]
            spec.hooks.prestart = [note("prestart")]
            spec.hooks.createRuntime = [note("createRuntime"), note("createRuntime2")]
            spec.hooks.createContainer = [note("createContainer")]
            spec.hooks.startContainer = [note("startContainer", in: "/tmp/inside")]
            spec.hooks.poststart = [note("poststart")]
            spec.hooks.poststop = [note("poststop")]
        }
        #expect(try notes().map { $0[0] } == ["prestart", "createRuntime", "createRuntime2", "createContainer"])
        #expect(!exists(bundle.path + "/rootfs/tmp/inside"), "startContainer belongs to start")
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        #expect(try bundle.waitForEnd(pid))
        #expect(try bundle.runtime("delete", bundle.id).code == 0)

        let all = try notes()
        #expect(all.map { $0[0] }.suffix(2) == ["poststart", "poststop"])
        let own = try readLink("/proc/self/ns/mnt")
        let states = try all.map { try JSON.parse(Array($0[4].utf8)) }
        for (line, state) in zip(all, states) {
            #expect(line[2] == line[0].replacing("createRuntime2", with: "createRuntime2") + "-hook")
            #expect((line[1] == own) == (line[0] != "createContainer"), "\(line[0]) ran in the wrong namespace")
            #expect(line[3] == bundle.path + (line[0] == "createContainer" ? "/rootfs" : ""))
            #expect(state["id"]?.stringValue == bundle.id)
            #expect(state["bundle"]?.stringValue == bundle.path)
            #expect(state["annotations"]?["org.example.a"]?.stringValue == "b")
        }
        #expect(
            states.map { $0["status"]?.stringValue } == [
                "creating", "creating", "creating", "creating", "running", "stopped",
            ])
        #expect(states[0]["pid"]?.intValue == Int64(pid))
        #expect(states[3]["pid"]?.intValue == 1, "as the container's own namespace counts")
        #expect(states[5]["pid"] == nil)

        let inside = try readText(bundle.path + "/rootfs/tmp/inside").split(separator: "\n")
        #expect(inside.count == 2 && inside[0].hasPrefix("startContainer") && inside[1] == "program")
        #expect(inside[0].contains("\"status\":\"created\""))
    }

    @Test(arguments: ["prestart", "createRuntime", "createContainer"])
    func aHookThatFailsLeavesNoContainer(point: String) throws {
        defer { bundle.remove() }
        let failing = RuntimeSpec.Hook(
            path: "/bin/sh", arguments: ["sh", "-c", "echo first; echo because of this >&2; exit 7"])
        let result = try bundle.run("touch /tmp/ran") { spec in
            switch point {
            case "prestart": spec.hooks.prestart = [failing]
            case "createRuntime": spec.hooks.createRuntime = [failing]
            default: spec.hooks.createContainer = [failing]
            }
        }
        #expect(result.code != 0)
        #expect(result.errors.contains("error running \(point) hook #0: /bin/sh: exit status 7: because of this"))
        #expect(!exists(bundle.path + "/rootfs/tmp/ran"))
        #expect(bundle.leftNothing)
    }

    @Test func aHookIsEndedWhenItsTimeIsUp() throws {
        defer { bundle.remove() }
        let result = try bundle.run("touch /tmp/ran") { spec in
            spec.hooks.createRuntime = [
                RuntimeSpec.Hook(path: "/bin/sh", arguments: ["sh", "-c", "sleep 1000"], timeout: 1)
            ]
        }
        #expect(result.errors.contains("createRuntime hook #0: /bin/sh: not done after 1 s"))
        #expect(!exists(bundle.path + "/rootfs/tmp/ran"))
        #expect(bundle.leftNothing)
    }

    @Test func aHookThatIsNotThereIsNamed() throws {
        defer { bundle.remove() }
        let result = try bundle.run("true") { $0.hooks.prestart = [RuntimeSpec.Hook(path: "/no/such/hook")] }
        #expect(
            result.errors.contains(
                "prestart hook #0: /no/such/hook: exit status 127: exec: no such file or directory"))
    }

    @Test func aContainerWhosePoststartHookFailsIsStopped() throws {
        defer { bundle.remove() }
        let pid = try bundle.create("sleep 1000") { spec in
            spec.hooks.poststart = [RuntimeSpec.Hook(path: "/bin/sh", arguments: ["sh", "-c", "exit 3"])]
        }
        let started = try bundle.runtime("start", bundle.id)
        #expect(started.code != 0 && started.errors.contains("poststart hook #0: /bin/sh: exit status 3"))
        #expect(try bundle.waitForEnd(pid))
    }

    @Test func poststopHooksAllRunAndDeletingGoesOn() throws {
        defer { bundle.remove() }
        let pid = try bundle.create("true") { spec in
            spec.hooks.poststop = [
                RuntimeSpec.Hook(path: "/bin/sh", arguments: ["sh", "-c", "exit 3"]), note("last"),
            ]
        }
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        #expect(try bundle.waitForEnd(pid))
        let deleted = try bundle.runtime("delete", bundle.id)
        #expect(deleted.code == 0)
        #expect(deleted.errors.contains("warning: error running poststop hook #0: /bin/sh: exit status 3"))
        #expect(try notes().map { $0[0] } == ["last"])
        #expect(bundle.leftNothing)
    }
}
