import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Namespaces of somebody else's, for an ordinary user's container.
@Suite(.serialized, .enabled(if: Bundle.canRun, "becoming a user needs root"))
struct RootlessNamespaceTests {
    private let bundle: UserBundle

    init() throws { bundle = try UserBundle() }

    @Test func aContainerJoinsAnothersNamespaces() throws {
        defer { bundle.remove() }
        let pid = try bundle.create("sleep 1000")
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        // The shell becomes it.
        let deadline = Clock.monotonicMilliseconds() + 120_000
        while try readText("/proc/\(pid)/comm") != "sleep\n", Clock.monotonicMilliseconds() < deadline {
            _ = try poll([], timeout: 20)
        }
        let kinds: [(RuntimeSpec.Namespace.Kind, String)] = [
            (.user, "user"), (.pid, "pid"), (.network, "net"), (.ipc, "ipc"), (.uts, "uts"),
        ]
        try bundle.write("cat /proc/1/comm; for n in user pid net ipc uts; do readlink /proc/self/ns/$n; done") {
            spec in
            spec.linux.namespaces = [.init(.mount)]
            for (kind, name) in kinds { spec.linux.namespaces.append(.init(kind, path: "/proc/\(pid)/ns/\(name)")) }
            (spec.linux.uidMappings, spec.linux.gidMappings) = ([], [])
        }
        let result = try bundle.runtime("run", "--bundle", bundle.path, bundle.id + "-second")
        #expect(result.code == 0, "\(result.errors)")
        #expect(
            result.lines == ["sleep"] + (try kinds.map { try readLink("/proc/\(pid)/ns/\($0.1)") }), "\(result.errors)")
        try bundle.write("echo ran") { spec in
            spec.linux.namespaces.removeAll { $0.kind == .network }
            spec.linux.namespaces.append(.init(.network, path: "/proc/\(pid)/ns/net"))
        }
        let foreign = try bundle.runtime("run", "--bundle", bundle.path, bundle.id + "-second")
        #expect(foreign.errors.contains("network namespace, which another user namespace owns"), "\(foreign.errors)")
        #expect(!exists("\(bundle.stateFolder)/\(bundle.id)-second"))
    }

    /// Rootless engines run the runtime as root of a namespace of theirs, and make containers without one.
    @Test func rootOfAUsersNamespaceMakesContainers() throws {
        defer { bundle.remove() }
        try bundle.write("cat /proc/self/uid_map; echo gone > /dev/null && echo wrote; sleep 1000") {
            $0.linux.namespaces.removeAll { $0.kind == .user }
            ($0.linux.uidMappings, $0.linux.gidMappings) = ([], [])
        }
        // The first process is not the program yet when start returns.
        let script = """
            "$0" create --bundle "$1" "$2" && "$0" start "$2" && "$0" exec "$2" sh -c '
                looks=0
                while [ "$(cat /proc/1/comm)" = exe ] && [ $looks -lt 1000 ]; do looks=$((looks + 1)); done
                cat /proc/1/comm'
            "$0" delete --force "$2"
            """
        let result = try bundle.asUser([
            "unshare", "-r", "-m", "sh", "-c", script, bundle.path + "/program", bundle.path, bundle.id,
        ])
        #expect(result.lines.contains { $0 == "sh" || $0 == "sleep" }, "\(result.output)\(result.errors)")
        #expect(result.output.contains("60010"))
        #expect(bundle.leftNothing)
    }
}
