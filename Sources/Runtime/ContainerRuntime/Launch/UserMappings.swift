internal import CLinux
internal import Linux
internal import OCI

/// Which ids inside a new user namespace are which outside.
struct UserMappings: Sendable, Equatable {
    var uid: [RuntimeSpec.IDMapping]
    var gid: [RuntimeSpec.IDMapping]
    /// What the process cannot write itself once nobody may trace it: to the root of its user namespace its own procfs
    /// files belong to somebody else.
    var oomScoreAdjustment: Int32?

    /// - Parameter member: what the mappings belong to, for the message.
    init(uid: [RuntimeSpec.IDMapping], gid: [RuntimeSpec.IDMapping], of member: String) throws(RuntimeFailure) {
        try Self.check(uid, "\(member).uidMappings")
        try Self.check(gid, "\(member).gidMappings")
        self.uid = uid
        self.gid = gid
    }

    private static func check(
        _ mappings: [RuntimeSpec.IDMapping], _ name: @autoclosure () -> String
    ) throws(RuntimeFailure) {
        guard !mappings.isEmpty else {
            throw RuntimeFailure(.specification, "\(name()): missing or empty")
        }
        // The kernel's own bound (user_namespaces(7)); a text for more would not be taken either (CVE-2021-43784).
        guard mappings.count <= 340 else {
            throw RuntimeFailure(.specification, "\(name()): \(mappings.count) ranges, 340 are allowed")
        }
        for mapping in mappings {
            let last = max(UInt64(mapping.container), UInt64(mapping.host)) + UInt64(mapping.size)
            guard mapping.size > 0, last <= UInt64(UInt32.max) else {
                throw RuntimeFailure(
                    .specification,
                    "\(name()): \(mapping.container) \(mapping.host) \(mapping.size) is not a range of ids")
            }
        }
    }

    /// Who sets the container up: its root, or the user it is for where root is not mapped.
    ///
    /// An id that is not mapped cannot own a file there.
    ///
    /// - Parameter mappings: nil where they are not known, as those of a namespace that is joined.
    static func owner(by mappings: UserMappings?, else user: RuntimeSpec.User) -> (uid: UInt32, gid: UInt32) {
        func isMapped(_ ranges: [RuntimeSpec.IDMapping]) -> Bool { ranges.contains { $0.container == 0 } }
        guard let mappings else { return (0, 0) }
        return (isMapped(mappings.uid) ? 0 : user.uid, isMapped(mappings.gid) ? 0 : user.gid)
    }

    /// How a map can be written.
    enum Way: Equatable {
        /// Straight into the file.
        case direct
        /// Straight, once the process may no longer drop groups: a caller without rights maps itself alone.
        case directWithoutGroups
        /// By the set-uid programs that know which ids a user may hand out: newuidmap(1), newgidmap(1).
        case helper
    }

    /// - Parameters:
    ///   - own: the caller's id.
    ///   - privileged: whether it may map ids that are not its own.
    static func way(_ mappings: [RuntimeSpec.IDMapping], own: UInt32, privileged: Bool) -> Way {
        if privileged { return .direct }
        if mappings.count == 1, mappings[0].size == 1, mappings[0].host == own { return .directWithoutGroups }
        return .helper
    }

    /// Writes the maps of a child that waits for them.
    ///
    /// Files: `/proc/<pid>/{uid_map,gid_map,setgroups,oom_score_adj}`, user_namespaces(7).
    func write(for pid: pid_t) throws(RuntimeFailure) {
        let rights = try step(.user) { () throws(SystemError) in try permittedCapabilities() }
        switch Self.way(uid, own: geteuid(), privileged: rights.contains(number: Int32(CAP_SETUID))) {
        case .direct, .directWithoutGroups: try put("uid_map", Self.text(uid), pid)
        case .helper: try Self.help("newuidmap", pid, uid)
        }
        switch Self.way(gid, own: getegid(), privileged: rights.contains(number: Int32(CAP_SETGID))) {
        case .direct: try put("gid_map", Self.text(gid), pid)
        case .directWithoutGroups:
            try put("setgroups", "deny", pid)
            try put("gid_map", Self.text(gid), pid)
        case .helper: try Self.help("newgidmap", pid, gid)
        }
        if let oomScoreAdjustment { try put("oom_score_adj", "\(oomScoreAdjustment)", pid) }
    }

    private func put(_ file: String, _ text: String, _ pid: pid_t) throws(RuntimeFailure) {
        try step(.user) { () throws(SystemError) in
            do throws(SystemError) { try writeControl("/proc/\(pid)/\(file)", text) } catch {
                throw error.about("\(file) \(text.split(separator: "\n").joined(separator: ", "))")
            }
        }
    }

    private static func text(_ mappings: [RuntimeSpec.IDMapping]) -> String {
        var text = ""
        // Not joined: what that needs to know of lists is put together at run time, while the child waits.
        for mapping in mappings { text += "\(mapping.container) \(mapping.host) \(mapping.size)\n" }
        return text
    }

    private static func help(_ program: String, _ pid: pid_t, _ mappings: [RuntimeSpec.IDMapping])
        throws(RuntimeFailure)
    {
        // Of the host's own system directories only: the caller's PATH is not asked.
        guard
            let path = ["/usr/bin", "/bin", "/usr/local/bin"].map({ "\($0)/\(program)" }).first(where: { exists($0) })
        else {
            throw RuntimeFailure(
                .user,
                "mapping more than one's own id without rights needs \(program), which is not installed (package uidmap)"
            )
        }
        let numbers = mappings.flatMap { ["\($0.container)", "\($0.host)", "\($0.size)"] }
        let end = try step(.user) { () throws(SystemError) in
            let child = try Spawn(path, arguments: [program, "\(pid)"] + numbers, descriptors: [(2, 2)]).start()
            return try PidFD(child).wait()
        }
        guard end == .exited(0) else {
            throw RuntimeFailure(
                .user, "\(program) \(numbers.joined(separator: " ")) refused; see /etc/subuid and /etc/subgid")
        }
    }

    /// A user namespace with these mappings and nobody in it, for id-mapped mounts.
    func makeNamespace() throws(RuntimeFailure) -> OwnedDescriptor {
        let cloned = try step(.user) { () throws(SystemError) in try Linux.clone([.user]) }
        if cloned.isChild {
            // Killed by the parent, or with it.
            try? setParentDeathSignal(SIGKILL)
            while true { pause() }
        }
        let process = PidFD(owning: OwnedDescriptor(owning: cloned.pidfd))
        defer {
            try? process.send(SIGKILL)
            _ = try? process.wait()
        }
        try write(for: cloned.pid)
        return try step(.user) { () throws(SystemError) in try open("/proc/\(cloned.pid)/ns/user", O_RDONLY) }
    }
}

/// Whether this process is in another user namespace than the machine's first one: being root there is no right over the
/// host.
///
/// As it was at the first question; whoever has entered another since knows that it has.
/// File: `/proc/self/uid_map`, which shows all ids as themselves in the first one.
public func isInUserNamespace() -> Bool { beganInUserNamespace }

private let beganInUserNamespace: Bool = {
    guard let map = try? readFile("/proc/self/uid_map") else { return false }
    // As the kernel prints three numbers of ten places, whatever they are.
    return !map.elementsEqual("         0          0 4294967295\n".utf8)
}()
