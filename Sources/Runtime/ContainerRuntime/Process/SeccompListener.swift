internal import CLinux
internal import JSON
internal import Linux
internal import OCI

/// Who is told of the system calls a filter leaves to somebody else to decide.
///
/// The socket is connected before there is a process: a listener that is not there is a container that is not made. See
/// config-linux.md, "The Container Process State".
struct SeccompListener: Sendable {
    private let socket: SharedDescriptor
    private let metadata: String
    private let state: HookState

    /// - Parameter state: the container's, as it is told.
    init(path: String, metadata: String, state: HookState) throws(RuntimeFailure) {
        guard path.hasPrefix("/") else {
            throw RuntimeFailure(.specification, "linux.seccomp.listenerPath: \"\(path)\" is not absolute")
        }
        socket = try step(.seccomp) { () throws(SystemError) in
            do throws(SystemError) { return SharedDescriptor(try connectStream(toLocal: path)) } catch {
                throw error.about("linux.seccomp.listenerPath \(path)")
            }
        }
        self.metadata = metadata
        self.state = state
    }

    /// Hands the descriptor over.
    func send(_ descriptor: Int32, for pid: pid_t) throws(RuntimeFailure) {
        let text = Self.document(
            pid: pid, metadata: metadata, state: state.pid > 0 ? state : state.with(.creating, pid: pid)
        ).serialized()
        try step(.seccomp) { () throws(SystemError) in try sendMessage(socket.raw, text, descriptors: [descriptor]) }
    }

    /// The container process state.
    static func document(pid: pid_t, metadata: String, state: HookState) -> JSON {
        var object: JSONObject = [
            "ociVersion": .string(RuntimeSpec.currentVersion), "fds": ["seccompFd"], "pid": .integer(Int64(pid)),
        ]
        if !metadata.isEmpty { object["metadata"] = .string(metadata) }
        object["state"] = state.json
        return .object(object)
    }
}

/// What a document says of how its filter is installed.
///
/// Where it names no flags the kernel is asked not to slow the process down by its mitigation of speculative store bypass,
/// which up to Linux 5.15 came with every filter (`SECCOMP_FILTER_FLAG_SPEC_ALLOW`, seccomp(2)): runc and crun do the same.
/// An empty list is a choice, and has none.
struct SeccompInstallation: Sendable, Equatable {
    var flags: SeccompFlags = .allowSpeculation
    var notifies = false

    static let names: [String: SeccompFlags] = [
        "SECCOMP_FILTER_FLAG_TSYNC": .allThreads, "SECCOMP_FILTER_FLAG_LOG": .log,
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW": .allowSpeculation, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": .waitKillable,
    ]

    init(_ seccomp: RuntimeSpec.Seccomp?) throws(RuntimeFailure) {
        guard let seccomp else { return }
        if seccomp.flags != nil { flags = [] }
        for name in seccomp.flags ?? [] {
            guard let flag = Self.names[name] else {
                throw RuntimeFailure(.specification, "linux.seccomp.flags: unknown value \"\(name)\"")
            }
            flags.insert(flag)
        }
        if seccomp.defaultAction == "SCMP_ACT_NOTIFY" {
            throw RuntimeFailure(
                .specification, "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY is for single calls only")
        }
        let told = seccomp.rules.filter { $0.action == "SCMP_ACT_NOTIFY" }
        notifies = !told.isEmpty
        // The listener's descriptor travels by this call once the filter holds: nobody could answer yet.
        if told.contains(where: { $0.names.contains("sendmsg") }) {
            throw RuntimeFailure(.specification, "linux.seccomp: SCMP_ACT_NOTIFY cannot be used for sendmsg")
        }
        let path = seccomp.listenerPath ?? ""
        if notifies, path.isEmpty {
            throw RuntimeFailure(.specification, "linux.seccomp.listenerPath: missing, and SCMP_ACT_NOTIFY needs it")
        }
        if notifies {
            flags.insert(.newListener)
            // One descriptor cannot be the answer to a call that synchronises threads; there is one thread anyway.
            flags.remove(.allThreads)
        } else if flags.contains(.waitKillable) {
            throw RuntimeFailure(
                .specification,
                "linux.seccomp.flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs a rule with SCMP_ACT_NOTIFY")
        }
    }
}
