internal import CLinux
internal import ContainerRuntime
internal import Linux

/// Where states are kept when nobody says it.
///
/// ```
/// root                           /run/skiff-runtime
/// a user, or a namespace's root  $XDG_RUNTIME_DIR/skiff-runtime
/// a user without that variable   /run/user/<uid>/skiff-runtime where that is the user's, else /tmp/skiff-runtime-<uid>
/// ```
/// Root of a user namespace keeps root's place where it is called root by `USER`, as runc has it: a machine of its own then,
/// and not a user's tool. Whose a folder is, is asked when it is used: ``StateDirectory``.
enum StandardRoot {
    static func path() -> String {
        path(
            user: effectiveUser(), inUserNamespace: isInUserNamespace, variable: environmentValue,
            ownerOf: { try? Linux.status($0).st_uid })
    }

    /// - Parameters:
    ///   - variable: the environment.
    ///   - ownerOf: who owns what is at a path, nil where there is nothing.
    static func path(
        user: UInt32, inUserNamespace: () -> Bool, variable: (String) -> String?, ownerOf: (String) -> UInt32?
    ) -> String {
        let own = variable("XDG_RUNTIME_DIR").flatMap { $0.hasPrefix("/") ? $0 : nil }
        if user == 0 {
            guard let own, variable("USER") != "root", inUserNamespace() else { return "/run/skiff-runtime" }
            return own + "/skiff-runtime"
        }
        if let own { return own + "/skiff-runtime" }
        let session = "/run/user/\(user)"
        return ownerOf(session) == user ? session + "/skiff-runtime" : "/tmp/skiff-runtime-\(user)"
    }
}
