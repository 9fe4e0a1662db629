import CLinux
import FakeRegistry
import Linux
import Testing

/// A real registry: Debian's docker-registry on loopback, in a folder of a daemon's.
enum LocalRegistry {
    static let program = Program.find("docker-registry")

    /// Who may come in where a name is asked for; the hash is the password's, bcrypt.
    static let user = "sailor"
    static let password = "s3cret pass:word"
    private static let entry = "sailor:$2b$05$abcdefghijklmnopqrstuuWqE.ZbojV4lW1JhHwMXr3EQklLDUc6y\n"

    /// Runs the registry for as long as the body takes, which gets its `host:port`.
    static func with(
        _ daemon: PrivateDaemon, asksForName: Bool = false, _ body: (String) async throws -> Void
    ) async throws {
        let port = try await LittleServer.freePort()
        let folder = daemon.home + "/registry"
        try makeDirectories(folder)
        try writeFile(folder + "/users", Array(entry.utf8), mode: 0o600)
        let access = asksForName ? "auth: {htpasswd: {realm: harbour, path: \(folder)/users}}" : ""
        try writeFile(
            folder + "/config.yml",
            Array(
                """
                version: 0.1
                log: {level: error}
                http: {addr: "127.0.0.1:\(port)"}
                storage: {filesystem: {rootdirectory: \(folder)/data}}
                \(access)
                """.utf8))
        let program = try #require(program)
        let pid = try Spawn(program, arguments: ["docker-registry", "serve", folder + "/config.yml"]).start()
        func end() {
            kill(pid, SIGTERM)
            _ = try? PidFD(pid).wait()
            try? removeTree(folder)
        }
        do {
            try await eventually("the registry to answer") {
                try await Program.run(Program.find("curl") ?? "curl", ["-sS", "http://127.0.0.1:\(port)/v2/"]).code == 0
            }
            try await body("127.0.0.1:\(port)")
        } catch {
            end()
            throw error
        }
        end()
    }
}
