import CLinux
import JSON
import Linux
import OCI
import Testing

/// A bundle of an ordinary user's, and the runtime run by that user.
///
/// The user exists only in a mount namespace of each run, where `/etc` is a folder of the test's: nothing of the host's
/// changes. Root is needed to become the user, and for nothing else.
struct UserBundle {
    static let user: uid_t = 60010
    /// What the user may hand out, beside its own id.
    static let subordinate: uid_t = 3_000_000

    /// Whether ranges can be mapped here: newuidmap(1) and newgidmap(1), with root's rights.
    static var hasHelpers: Bool {
        ["newuidmap", "newgidmap"].allSatisfy { name in
            guard let found = try? status("/usr/bin/\(name)", follow: true) else { return false }
            return found.st_uid == 0 && found.st_mode & mode_t(S_ISUID) != 0
        }
    }

    let bundle: Bundle
    var path: String { bundle.path }
    var id: String { bundle.id }
    var stateFolder: String { path + "/run/skiff-runtime" }

    init() throws {
        bundle = try Bundle()
        try makeDirectories(path + "/etc")
        let files = [
            "passwd": "root:x:0:0::/:/bin/sh\nskiff-user:x:\(Self.user):\(Self.user)::/:/bin/sh\n",
            "group": "root:x:0:\nskiff-user:x:\(Self.user):\n",
            "subuid": "skiff-user:\(Self.subordinate):65536\n", "subgid": "skiff-user:\(Self.subordinate):65536\n",
        ]
        for (name, text) in files { try writeFile("\(path)/etc/\(name)", Array(text.utf8), mode: 0o644) }
        try makeDirectory(path + "/run", mode: 0o700)
        try writeFile(path + "/program", [], mode: 0o755)
        for name in ["run", "rootfs"] { try give(path + "/" + name) }
        for name in ["bin", "dev", "etc", "proc", "sys", "tmp"] { try give("\(path)/rootfs/\(name)") }
    }

    /// Makes the user the owner.
    func give(_ file: String) throws {
        try setOwnerEntry(file, uid: Self.user, gid: Self.user, at: Directory.working)
    }

    func remove() {
        _ = try? runtime("delete", "--force", id)
        bundle.remove()
    }

    /// Writes a document as `spec --rootless` does: a user namespace whose root is the user, and no cgroup.
    func write(
        _ script: String, mounts: [RuntimeSpec.Mount] = [], _ change: (inout RuntimeSpec) -> Void = { _ in }
    ) throws {
        try bundle.write(command: ["sh", "-c", script], mounts: mounts) { spec in
            spec.linux.cgroupsPath = nil
            spec.linux.namespaces.append(.init(.user))
            spec.linux.uidMappings = [.init(container: 0, host: Self.user, size: 1)]
            spec.linux.gidMappings = spec.linux.uidMappings
            change(&spec)
        }
    }

    func run(
        _ script: String, mounts: [RuntimeSpec.Mount] = [], _ change: (inout RuntimeSpec) -> Void = { _ in }
    ) throws -> Bundle.Output {
        try write(script, mounts: mounts, change)
        return try runtime("run", "--bundle", path, id)
    }

    /// - Returns: the number of its first process.
    func create(_ script: String, _ change: (inout RuntimeSpec) -> Void = { _ in }) throws -> pid_t {
        try write(script, change)
        let made = try runtime("create", "--bundle", path, id)
        try #require(made.code == 0, "\(made.errors)")
        return try #require(document()["pid"]?.intValue.flatMap { pid_t(exactly: $0) })
    }

    func document() throws -> JSON { try JSON.parse(Array(runtime("state", id).output.utf8)) }

    /// Runs the program under test as the user.
    func runtime(_ arguments: String...) throws -> Bundle.Output { try asUser([path + "/program"] + arguments) }

    /// Runs any command as the user.
    ///
    /// - Parameters:
    ///   - before: shell commands that root runs first, in the mount namespace of this run.
    ///   - environment: nil has `XDG_RUNTIME_DIR`.
    func asUser(
        _ command: [String], before: String = ":", environment: [String]? = nil,
        passing descriptors: [(parent: Int32, child: Int32)] = []
    ) throws -> Bundle.Output {
        let out = path + "/out", err = path + "/err"
        let output = try open(out, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        let errors = try open(err, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        let script = """
            set -e; mount --bind "$0/etc" /etc; mount --bind "$1" "$0/program"; shift
            \(before)
            exec /bin/busybox su -s /bin/sh -c 'exec "$@"' -- skiff-user sh "$@"
            """
        let pid = try Spawn(
            "/bin/busybox",
            arguments: [
                "busybox", "unshare", "-m", "--propagation", "private", "/bin/busybox", "sh", "-c", script, path,
                Bundle.program(),
            ] + command,
            environment: ["PATH=/usr/bin:/bin:/usr/sbin:/sbin"] + (environment ?? ["XDG_RUNTIME_DIR=\(path)/run"]),
            descriptors: [(output.raw, 1), (errors.raw, 2)] + descriptors
        ).start()
        let end = try PidFD(pid).wait()
        return Bundle.Output(code: end?.code ?? -1, output: try readText(out), errors: try readText(err))
    }

    /// Looks again where what is found does not agree: others on the machine have interfaces that come and go.
    static func whileInterfacesChange<Found>(_ look: () throws -> Found, agree: (Found) -> Bool) throws -> Found {
        for _ in 0..<20 {
            let found = try look()
            if agree(found) { return found }
        }
        return try look()
    }

    /// Nothing of the container is in the state folder.
    var leftNothing: Bool { !exists("\(stateFolder)/\(id)") }
}

extension RuntimeSpec {
    /// The user's id as root, and the ids the user may hand out above it.
    mutating func mapRange() {
        linux.uidMappings = [
            .init(container: 0, host: UserBundle.user, size: 1),
            .init(container: 1, host: UserBundle.subordinate, size: 65535),
        ]
        linux.gidMappings = linux.uidMappings
    }
}

extension RuntimeSpec.User {
    static func numbers(_ uid: UInt32, _ gid: UInt32, groups: [UInt32] = []) -> RuntimeSpec.User {
        var user = RuntimeSpec.User()
        (user.uid, user.gid, user.additionalGids) = (uid, gid, groups)
        return user
    }
}
