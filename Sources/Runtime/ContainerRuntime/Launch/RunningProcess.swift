public import CLinux
public import Linux

/// A process that runs in a container.
public struct RunningProcess: ~Copyable {
    public private(set) var pid: pid_t
    public private(set) var pidfd: PidFD
    /// The terminal's master, where one was asked for; nil otherwise or after it was taken.
    public private(set) var master: Int32?

    init(pid: pid_t, pidfd: consuming PidFD, master: Int32?) {
        self.pid = pid
        self.pidfd = pidfd
        self.master = master
    }

    /// Gives the terminal's master away: the caller owns the number.
    public mutating func takeMaster() -> Int32? {
        defer { master = nil }
        return master
    }

    mutating func take(master: Int32) { self.master = master }

    /// Goes on as the process that this one, which only was on the way, has made in its place.
    ///
    /// The number is this process's own view of it, which the maker's may not have been.
    /// File: `/proc/self/fdinfo/<pidfd>`, pidfd_open(2).
    mutating func goOn(through descriptor: Int32) throws(RuntimeFailure) {
        _ = try? pidfd.wait()
        pidfd = PidFD(owning: OwnedDescriptor(owning: descriptor))
        let text = try step(.namespaces) { () throws(SystemError) in
            try readText("/proc/self/fdinfo/\(descriptor)", limit: 4096)
        }
        let number = text.split(separator: "\n").first { $0.hasPrefix("Pid:") }?
            .dropFirst(4).drop { $0 == "\t" || $0 == " " }
        guard let number = number.flatMap({ pid_t($0) }), number > 0 else {
            throw RuntimeFailure(.namespaces, "the container's process ended while it was being made")
        }
        pid = number
    }

    /// The same of one whose number is known: a child of this process, which nobody else reaps.
    mutating func goOn(as number: pid_t) throws(RuntimeFailure) {
        _ = try? pidfd.wait()
        do throws(SystemError) { pidfd = try PidFD(number) } catch {
            // Who cannot be followed is not let go.
            try? sendSignal(SIGKILL, to: number)
            _ = try? waitForChild(number)
            throw RuntimeFailure(.namespaces, error)
        }
        pid = number
    }

    /// Kills and reaps it.
    consuming func end() {
        if let master { _ = close(master) }
        try? pidfd.send(SIGKILL)
        _ = try? pidfd.wait()
    }
}
