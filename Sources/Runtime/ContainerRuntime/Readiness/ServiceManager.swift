public import CLinux
internal import Linux
public import OCI

/// Who started the runtime as a service and waits to be told that it is ready; sd_notify(3).
///
/// ```
/// program ── READY=1 ──▶ $NOTIFY_SOCKET/notify, bound in ──▶ run or start ── READY=1 ──▶ $NOTIFY_SOCKET of the host
/// ```
/// The container has no way to the manager's own socket: it has one of its own, in a folder that is bound read-only, and the
/// runtime passes on one word of what is said there (``ContainerReadiness``). The folder stands where the manager's socket is
/// on the host, as crun has it: `$NOTIFY_SOCKET` inside is that path with `/notify` behind it.
public struct ServiceManager: Sendable, Equatable {
    /// A path of the host's, or a name of the kernel's.
    let name: String
    /// Whether it is such a name; unix(7).
    let isAbstract: Bool
    /// The folder in the container.
    let folder: String

    /// - Parameter variable: what `NOTIFY_SOCKET` says.
    /// - Returns: nil where it names no local socket.
    public init?(_ variable: String) {
        guard !variable.utf8.contains(0), !variable.utf8.contains(UInt8(ascii: "\n")) else { return nil }
        if variable.hasPrefix("@"), variable.utf8.count > 1 {
            (name, isAbstract, folder) = (String(variable.dropFirst()), true, "/run/notify")
        } else if variable.hasPrefix("/"), variable.cleanPath != "/" {
            (name, isAbstract, folder) = (variable, false, variable.cleanPath)
        } else {
            return nil
        }
    }

    /// Gives a container the socket of a folder, and tells its program of it.
    ///
    /// - Parameter source: the folder, empty as yet.
    public func introduce(to spec: inout RuntimeSpec, from source: String) {
        spec.mounts.append(
            RuntimeSpec.Mount(
                destination: folder, type: "bind", source: source,
                options: ["bind", "ro", "nosuid", "nodev", "noexec", "private"]))
        spec.process?.environment.removeAll { $0.hasPrefix("NOTIFY_SOCKET=") }
        spec.process?.environment.append("NOTIFY_SOCKET=\(folder)/\(ContainerReadiness.name)")
    }

    /// Says that the service is ready.
    ///
    /// - Parameter mainProcess: who the service is from now on, where the runtime does not stay with it. Then this returns
    ///   only once the manager has read it, or after thirty seconds: of a process that is gone nothing is taken
    ///   (`NotifyAccess=`, systemd.service(5)).
    public func tellReady(mainProcess: pid_t?) throws(RuntimeFailure) {
        try step(.exec) { () throws(SystemError) in
            let socket = try sendDatagrams(toLocal: name, isAbstract: isAbstract, timeout: 5_000)
            try sendMessage(socket.raw, Array("READY=1".utf8))
            guard let mainProcess else { return }
            try sendMessage(socket.raw, Array("MAINPID=\(mainProcess)".utf8))
            let ends = try Pipe().release()
            let read = OwnedDescriptor(owning: ends.read)
            do {
                let write = OwnedDescriptor(owning: ends.write)
                try sendMessage(socket.raw, Array("BARRIER=1".utf8), descriptors: [write.raw])
            }
            // Who has read the message closes its end.
            _ = try poll([(read.raw, 0)], timeout: 30_000)
        }
    }
}
