internal import EngineClient
internal import Failures
internal import JSON
internal import Linux

/// `skiff login`.
enum Login {
    private static let username = Option<String?>.text("username", short: "u", "Username")
    private static let password = Option<String?>.text(
        "password", short: "p", "Password or Personal Access Token (PAT)")
    private static let passwordStdin = Option<Bool>.flag(
        "password-stdin", "Take the Password or Personal Access Token (PAT) from stdin")

    static let verb = Verb(
        "login", "Authenticate to a registry", usage: "[OPTIONS] [SERVER]",
        options: [username, password, passwordStdin], arguments: 0...1
    ) { invocation throws(Failure) in
        var config = try ConfigFile(invocation.environment)
        let domain = invocation.arguments.first ?? "docker.io"
        var login = ConfigFile.Login(server: ConfigFile.key(for: domain))
        (login.username, login.password) = try credentials(invocation)
        if invocation[password] != nil {
            invocation.console.error("WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
        }
        let answer = try invocation.engine().json(Request(.post, "/auth", body: .json(login.json)))
        if let token = answer["IdentityToken"]?.stringValue, !token.isEmpty {
            login.identityToken = token
            login.password = ""
        }
        try config.store(login)
        invocation.console.error(
            "WARNING! Your credentials are stored unencrypted in '\(config.path)'.")
        invocation.console.print(answer["Status"]?.stringValue ?? "Login Succeeded")
        return .success
    }

    private static func credentials(_ invocation: Invocation) throws(Failure) -> (String, String) {
        let console = invocation.console
        if invocation[passwordStdin] {
            guard invocation[password] == nil else {
                throw Failure(.invalid, "conflicting options: cannot specify both --password and --password-stdin")
            }
            guard let user = invocation[username] else {
                throw Failure(.invalid, "the --password-stdin option requires --username to be set")
            }
            let bytes: [UInt8]
            do { bytes = try readAll(console.input, limit: 64 << 10) } catch {
                throw Failure(.internal, "cannot read the password: \(error.reason)", cause: error)
            }
            var text = String(decoding: bytes, as: UTF8.self)
            while text.last?.isNewline == true { text.removeLast() }
            return (user, text)
        }
        if let user = invocation[username], let secret = invocation[password] { return (user, secret) }
        guard console.inputIsTerminal else {
            throw Failure(.invalid, "cannot perform an interactive login from a non-TTY device, use --password-stdin")
        }
        var user = invocation[username] ?? ""
        if user.isEmpty {
            console.write("Username: ")
            user = try console.readLine() ?? ""
        }
        guard !user.isEmpty else { throw Failure(.invalid, "username is required") }
        let secret: String
        if let given = invocation[password] { secret = given } else { secret = try askPassword(console) }
        guard !secret.isEmpty else { throw Failure(.invalid, "password is required") }
        return (user, secret)
    }

    private static func askPassword(_ console: Console) throws(Failure) -> String {
        console.write("Password: ")
        console.flush()
        let before = try? TerminalMode(of: console.input)
        try? before?.withoutEcho.apply(to: console.input)
        defer {
            try? before?.apply(to: console.input)
            console.print("")
        }
        return try console.readLine() ?? ""
    }
}
