internal import CLinux
internal import Linux
internal import OCI

/// The last steps of a process before its program runs: who it is, what it may do, where it stands.
///
/// It runs inside the container's namespaces with the container's root as `/`. The order matters: the filter is installed
/// while the right to do so is still held unless no-new-privileges gives it, and nothing is dumpable until all is dropped
/// (CVE-2016-9962).
struct ProcessStep {
    let process: PlannedProcess
    /// An open procfs of this pid namespace, proven; nil where the container has none.
    let procfs: Int32?
    var keepsSessionKeyring = false
    var sessionName = "skiff"
    /// Takes the descriptor of a filter that tells of calls.
    var handOver: (Int32) throws(RuntimeFailure) -> Void = { _ in }

    /// Does everything but `exec`.
    ///
    /// - Parameter terminal: the process's own terminal, whose owner becomes the user.
    /// - Returns: the program's path and its environment.
    func prepare(terminal: Int32?) throws(RuntimeFailure) -> (path: String, environment: [String]) {
        let identity = try identity()
        if let terminal {
            try step(.console) { () throws(SystemError) in
                // Only the owner: the group is devpts's own choice.
                try check("fchown", "terminal") { fchown(terminal, identity.uid, gid_t.max) }
            }
        } else if identity.uid != 0 {
            // A user that is not root may open /dev/stdout again only when the pipe behind it is its own.
            for number in Int32(0)...2 {
                if let found = try? status(of: number), Int32(found.st_mode) & S_IFMT == S_IFIFO {
                    _ = fchown(number, identity.uid, gid_t.max)
                }
            }
        }
        if !keepsSessionKeyring {
            // A kernel without keyrings, or a quota that is used up, is no reason not to start.
            try? joinNewSessionKeyring(sessionName)
        }
        try step(.limits) { () throws(SystemError) in
            for limit in process.limits {
                do throws(SystemError) {
                    try setResourceLimit(limit.resource, soft: limit.soft, hard: limit.hard)
                } catch {
                    guard error.errno == EPERM else { throw error }
                    throw error.about("\(error.subject ?? ""), above the hard limit, which only root may raise")
                }
            }
        }
        try step(.limits) { () throws(SystemError) in try process.attributes.apply() }
        let isThere = try enterDirectory(early: true)
        // Without no-new-privileges only a privileged thread may install a filter, so it comes before the rights go; what
        // the filter refuses must not be needed from here on where there is a way around it.
        if !process.noNewPrivileges { try installFilter() }
        try step(.capabilities) { () throws(SystemError) in
            try limitBoundingCapabilities(to: process.bounding)
            try keepCapabilities(true)
        }
        try step(.user) { () throws(SystemError) in
            _ = umask(process.user.umask.map { mode_t($0) & 0o777 } ?? 0o022)
            try become(identity)
            // Another id makes a process as dumpable as `fs.suid_dumpable` says; proc_sys_fs(5).
            try becomeUndumpable()
        }
        try step(.capabilities) { () throws(SystemError) in
            try keepCapabilities(false)
            try setCapabilities(
                effective: process.effective, permitted: process.permitted, inheritable: process.inheritable)
            try setAmbientCapabilities(process.ambient)
        }
        try process.labels.apply(through: procfs)
        if !isThere { _ = try enterDirectory(early: false) }
        var environment = process.environment
        if !process.hasHome {
            environment.removeAll { $0.hasPrefix("HOME=") }
            environment.append("HOME=\(identity.home)")
        }
        let path = try Executable.find(process.arguments[0], path: process.variable("PATH"))
        if process.noNewPrivileges {
            try step(.capabilities) { () throws(SystemError) in try forbidNewPrivileges() }
            try installFilter()
        }
        return (path, environment)
    }

    private func installFilter() throws(RuntimeFailure) {
        guard let filter = process.filter else { return }
        let listener = try step(.seccomp) { () throws(SystemError) in
            try Linux.installFilter(filter, flags: process.installation.flags)
        }
        if process.installation.notifies {
            try handOver(listener)
            _ = close(listener)
        }
    }

    private func become(_ identity: Accounts.Identity) throws(SystemError) {
        do throws(SystemError) {
            try becomeAsAllowed(
                uid: identity.uid, gid: identity.gid, groups: process.keepsGroups ? nil : identity.groups)
        } catch {
            guard error.errno == EINVAL else { throw error }
            throw error.about("\(error.subject ?? "a group"), which this user namespace does not map")
        }
    }

    /// Changes to the working directory.
    ///
    /// - Parameter early: whether this is the attempt with root's rights, which reaches what a user's home may hide;
    ///   what it is refused the user may still reach, on a network file system for one.
    /// - Returns: whether it is done.
    private func enterDirectory(early: Bool) throws(RuntimeFailure) -> Bool {
        do throws(SystemError) { try changeDirectory(process.directory) } catch {
            if early, error.errno == EACCES { return false }
            throw RuntimeFailure(.workingDirectory, error)
        }
        // A directory outside the root has no path that getcwd can tell (CVE-2024-21626).
        let isInside = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) {
            getcwd($0.baseAddress, $0.count) != nil && $0[0] == CChar(UInt8(ascii: "/"))
        }
        guard isInside else {
            throw RuntimeFailure(
                .workingDirectory, "working directory \(process.directory) is outside the container", errno: ENOENT)
        }
        return true
    }

    private func identity() throws(RuntimeFailure) -> Accounts.Identity {
        let user = process.user
        guard user.name != nil || !user.additionalGroups.isEmpty || !process.hasHome else {
            return Accounts.Identity(uid: user.uid, gid: user.gid, groups: user.additionalGids, home: "/")
        }
        let passwd = try accountFile("/etc/passwd")
        if user.name == nil, user.additionalGroups.isEmpty, user.uid <= UInt32(Int32.max) {
            let home = Accounts.account(of: user.uid, in: passwd)?.home ?? ""
            return Accounts.Identity(
                uid: user.uid, gid: user.gid, groups: user.additionalGids, home: home.isEmpty ? "/" : home)
        }
        let accounts = Accounts(passwd: passwd, group: try accountFile("/etc/group"))
        do {
            guard let name = user.name else {
                var identity = try accounts.identity(of: "\(user.uid)", additional: user.additionalGroups)
                identity.gid = user.gid
                identity.groups = user.additionalGids + identity.groups.filter { _ in !user.additionalGroups.isEmpty }
                return identity
            }
            var identity = try accounts.identity(of: name, additional: user.additionalGroups)
            // The primary group is a supplementary one too, so that a denial by `chmod g-` holds (CVE-2022-2989).
            if !identity.groups.contains(identity.gid) { identity.groups.insert(identity.gid, at: 0) }
            for gid in user.additionalGids where !identity.groups.contains(gid) { identity.groups.append(gid) }
            return identity
        } catch { throw RuntimeFailure(.user, error.description) }
    }

    /// The image's account file: only a plain file, only so large; a FIFO, a device or a link out is not followed.
    private func accountFile(_ path: String) throws(RuntimeFailure) -> String {
        try step(.user) { () throws(SystemError) in
            let file: OwnedDescriptor
            do throws(SystemError) {
                file = try openRegularFile(in: Directory.working, path, resolve: .noMagicLinks)
            } catch {
                if error.errno == ENOENT || error.errno == ENOTDIR { return "" }
                throw error
            }
            return String(decoding: try readAll(file.raw, limit: 10 << 20), as: UTF8.self)
        }
    }
}
