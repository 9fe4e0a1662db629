internal import CLinux
internal import Failures
internal import JSON
internal import Linux

/// The client's own file, `config.json`, in the place and form of Docker's, so that logins are shared with it.
///
/// What this program does not know in it is written back as it was.
struct ConfigFile {
    let path: String
    private var tree: JSON

    /// The registry that names without a domain belong to, as the file calls it.
    static let hubKey = "https://index.docker.io/v1/"

    /// The file that `SKIFF_CONFIG`, `DOCKER_CONFIG` or the home directory leads to; an absent one is empty.
    init(_ environment: Environment) throws(Failure) {
        let directory = environment["SKIFF_CONFIG"] ?? environment["DOCKER_CONFIG"] ?? "\(environment.home)/.docker"
        path = "\(directory)/config.json"
        do {
            tree = try JSON.parse(try readFile(path, limit: 4 << 20))
        } catch let error as SystemError {
            guard error.errno == ENOENT || error.errno == ENOTDIR else {
                throw Failure(.invalid, "cannot read \(path): \(error.reason)", cause: error)
            }
            tree = [:]
        } catch {
            throw Failure(.invalid, "cannot read \(path): \(error)", cause: error)
        }
        if tree.objectValue == nil { tree = [:] }
    }

    /// A login, as the API's headers carry it.
    struct Login: Hashable, Sendable {
        var username = ""
        var password = ""
        var identityToken = ""
        var server: String

        /// What `X-Registry-Auth` carries.
        var header: String { Base64.encode(json.serialized(), urlSafe: true) }

        var json: JSON {
            var object: JSON = ["serveraddress": .string(server)]
            if !username.isEmpty { object["username"] = .string(username) }
            if !password.isEmpty { object["password"] = .string(password) }
            if !identityToken.isEmpty { object["identitytoken"] = .string(identityToken) }
            return object
        }
    }

    /// How the file names the registry of a domain.
    static func key(for domain: String) -> String {
        ["docker.io", "index.docker.io", "registry-1.docker.io"].contains(domain) ? hubKey : domain
    }

    /// The login for a registry; nil when there is none.
    func login(for domain: String) -> Login? {
        let key = Self.key(for: domain)
        let entries = tree["auths"]?.objectValue ?? [:]
        // Old files have a scheme and a path around the name.
        guard
            let (found, entry) = entries.first(where: { $0.key == key })
                ?? entries.first(where: { Self.host($0.key) == Self.host(key) })
        else { return nil }
        var login = Login(server: found)
        login.identityToken = entry["identitytoken"]?.stringValue ?? ""
        if let text = entry["auth"]?.stringValue, let bytes = Base64.decode(text) {
            let pair = String(decoding: bytes, as: UTF8.self)
                .split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            login.username = String(pair.first ?? "")
            login.password = pair.count == 2 ? String(pair[1].filter { $0 != "\0" }) : ""
        } else {
            login.username = entry["username"]?.stringValue ?? ""
            login.password = entry["password"]?.stringValue ?? ""
        }
        return login.username.isEmpty && login.identityToken.isEmpty ? nil : login
    }

    /// All logins, as `X-Registry-Config` carries them for builds.
    var allLogins: JSON {
        var object = JSON.object([:])
        for (key, _) in tree["auths"]?.objectValue ?? [:] {
            object[key] = login(for: key)?.json
        }
        return object
    }

    private static func host(_ key: String) -> Substring {
        var rest = key[...]
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
        return rest.prefix { $0 != "/" }
    }

    mutating func store(_ login: Login) throws(Failure) {
        var entry = JSON.object([:])
        if login.identityToken.isEmpty {
            entry["auth"] = .string(Base64.encode(Array("\(login.username):\(login.password)".utf8)))
        } else {
            entry["auth"] = .string(Base64.encode(Array("\(login.username):".utf8)))
            entry["identitytoken"] = .string(login.identityToken)
        }
        var auths = tree["auths"] ?? .object([:])
        auths[login.server] = entry
        tree["auths"] = auths
        try write()
    }

    /// - Returns: false when there was none.
    mutating func remove(_ domain: String) throws(Failure) -> Bool {
        guard let login = login(for: domain) else { return false }
        var auths = tree["auths"] ?? .object([:])
        auths[login.server] = nil
        tree["auths"] = auths
        try write()
        return true
    }

    private func write() throws(Failure) {
        do {
            if let slash = path.lastIndex(of: "/") { try makeDirectories(String(path[..<slash]), mode: 0o700) }
            try replaceFile(path, tree.serialized(pretty: true) + [0x0A], mode: 0o600)
        } catch {
            throw Failure(.internal, "cannot write \(path): \(error)", cause: error)
        }
    }
}
