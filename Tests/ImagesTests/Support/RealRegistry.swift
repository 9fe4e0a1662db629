import CLinux
import Failures
import FakeRegistry
import Linux
import NIOCore
import NIOPosix

@testable import Images

/// Debian's `docker-registry` on a free port of the loopback, with a directory of its own.
struct RealRegistry: Sendable {
    static let program = "/usr/bin/docker-registry"
    static var isInstalled: Bool { exists(program) }

    let address: String

    /// - Parameter user: a name and a password that it asks for.
    static func with(user: (name: String, bcrypt: String)? = nil, _ body: (RealRegistry) async throws -> Void)
        async throws
    {
        let root = "/var/tmp/skiff-registry-\(RandomName.make())"
        try makeDirectories("\(root)/data", mode: 0o700)
        let port = try await LittleServer.freePort()
        var config = """
            version: 0.1
            log: {level: error, accesslog: {disabled: true}}
            storage: {filesystem: {rootdirectory: \(root)/data}}
            http: {addr: "127.0.0.1:\(port)", secret: test}

            """
        if let user {
            try writeFile("\(root)/htpasswd", Array("\(user.name):\(user.bcrypt)\n".utf8))
            config += "auth: {htpasswd: {realm: test, path: \(root)/htpasswd}}\n"
        }
        try writeFile("\(root)/config.yml", Array(config.utf8))
        let pid = try start(["\(program)", "serve", "\(root)/config.yml"])
        let outcome: Result<Void, any Error>
        do {
            try await answers(port)
            outcome = .success(try await body(RealRegistry(address: "127.0.0.1:\(port)")))
        } catch {
            outcome = .failure(error)
        }
        kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        try removeTree(root)
        try outcome.get()
    }

    private static func start(_ arguments: [String]) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addclosefrom_np(&actions, 3)
        var words = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        var environment: [UnsafeMutablePointer<CChar>?] = [nil]
        let number = posix_spawn(&pid, program, &actions, nil, &words, &environment)
        if number != 0 { throw SystemError("posix_spawn", errno: number, subject: program) }
        return pid
    }

    /// Waits until the port takes connections, which is what the program does last.
    private static func answers(_ port: Int) async throws {
        let deadline = ContinuousClock.now + .seconds(180)
        while true {
            do {
                let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .connect(host: "127.0.0.1", port: port).get()
                try await channel.close()
                return
            } catch {
                if ContinuousClock.now > deadline { throw error }
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }
}
