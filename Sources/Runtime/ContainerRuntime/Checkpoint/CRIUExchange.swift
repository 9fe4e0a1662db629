internal import CLinux
internal import Linux

/// One run of `criu swrk`: a request, the notifications it brings about, and the answer.
///
/// ```
/// this process                              criu swrk 3
///   criu_req ─────────── SEQPACKET ───────▶
///   ◀─────────────────── NOTIFY, script    stops until it is answered
///   notify_success ──────────────────────▶
///   ◀─────────────────── DUMP or RESTORE, success
/// ```
/// See criu(8) and CRIU's `images/rpc.proto`.
struct CRIUExchange: ~Copyable {
    private let socket: OwnedDescriptor
    private let process: PidFD

    /// - Parameters:
    ///   - socket: this process's end.
    ///   - process: a child that runs CRIU, or is about to.
    init(socket: consuming OwnedDescriptor, process: consuming PidFD) {
        self.socket = socket
        self.process = process
    }

    /// Starts CRIU with no streams of its own, for what no container is restored by.
    init(path: String) throws(RuntimeFailure) {
        let ends = try step(.checkpoint) { () throws(SystemError) in try SocketPair(.messages).release() }
        let ours = OwnedDescriptor(owning: ends.first), theirs = OwnedDescriptor(owning: ends.second)
        process = try step(.checkpoint) { () throws(SystemError) in
            try PidFD(
                Spawn(
                    path, arguments: Self.arguments, environment: ownEnvironment(), descriptors: [(theirs.raw, 3)],
                    newSession: false
                ).start())
        }
        socket = ours
    }

    static let arguments = ["criu", "swrk", "3"]

    /// Sends the request and stays until CRIU has ended.
    ///
    /// - Parameter notified: what is due at a notification; where it fails CRIU is told so, undoes its work, and the failure is
    ///   thrown once it has. The descriptor came along, if one did.
    consuming func finish(
        _ request: CRIURequest,
        _ notified: (CRIUResponse.Notification, consuming OwnedDescriptor?) throws(RuntimeFailure) -> Void
    ) throws(RuntimeFailure) -> CRIUResponse {
        var problem: RuntimeFailure?
        var answer: CRIUResponse?
        do throws(RuntimeFailure) {
            try send(request)
            while answer == nil {
                guard var message = try next() else { break }
                guard let response = CRIUResponse(message.bytes) else {
                    throw RuntimeFailure(.checkpoint, "criu sent a message that cannot be read")
                }
                guard response.kind == CRIURequest.Kind.notify.rawValue, response.success,
                    let notification = response.notification
                else {
                    answer = response
                    break
                }
                do throws(RuntimeFailure) { try notified(notification, message.descriptors.take()) } catch {
                    if problem == nil { problem = error }
                }
                try send(.notified(problem == nil))
            }
        } catch {
            // Whatever CRIU says after this, the first cause is what counts.
            if problem == nil { problem = error }
        }
        // After a pre-dump CRIU waits for the next request: the end of the connection is what ends it.
        shutDown(socket.raw, reading: true, writing: true)
        let end = try? process.wait()
        if let problem { throw problem }
        guard let answer else {
            throw RuntimeFailure(.checkpoint, "criu ended before it answered (\(Self.words(end)))")
        }
        return answer
    }

    /// Ends CRIU, or who was to become it, at once.
    consuming func abandon() {
        try? process.send(SIGKILL)
        _ = try? process.wait()
    }

    private func send(_ request: CRIURequest) throws(RuntimeFailure) {
        let raw = socket.raw
        do throws(SystemError) { try sendMessage(raw, request.bytes) } catch {
            // It has ended: how is told by who waits for it.
            guard error.errno == EPIPE || error.errno == ECONNRESET else { throw RuntimeFailure(.checkpoint, error) }
        }
    }

    private func next() throws(RuntimeFailure) -> ReceivedMessage? {
        let raw = socket.raw
        do throws(SystemError) { return try receiveMessage(raw, limit: 1 << 16) } catch {
            guard error.errno == ECONNRESET else { throw RuntimeFailure(.checkpoint, error) }
            return nil
        }
    }

    private static func words(_ end: ProcessEnd?) -> String {
        switch end {
        case .exited(let code): "exit status \(code)"
        case .killed(let signal): "killed by signal \(signal)"
        case nil: "its end was lost"
        }
    }
}

/// This process's environment, with a search path in any case: CRIU runs ip, iptables-restore and tar.
func ownEnvironment() -> [String] {
    var variables: [String] = []
    var entry = skiff_environ()
    while let variable = entry?.pointee {
        variables.append(String(cString: variable))
        entry = entry?.advanced(by: 1)
    }
    if !variables.contains(where: { $0.hasPrefix("PATH=") }) { variables.append("PATH=" + Executable.defaultPath) }
    return variables
}
