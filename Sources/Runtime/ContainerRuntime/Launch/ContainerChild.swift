internal import CLinux
internal import Linux
internal import OCI

/// What the new process does between `clone3` and its program.
struct ContainerChild {
    let launch: ContainerLaunch
    let plan: LaunchPlan
    let membership: Cgroup.Membership
    let joined: JoinedNamespaces
    let devices: PreparedDevices?
    let sources: [String: SharedDescriptor]

    /// - Parameter peer: the child's end of the launch channel.
    func run(_ peer: Int32) throws(RuntimeFailure) -> Never {
        try step(.namespaces) { () throws(SystemError) in
            try becomeUndumpable()
            try resetSignals()
            try startSession()
        }
        if plan.mappings != nil {
            try LaunchChannel.awaitGo(peer)
            try step(.user) { () throws(SystemError) in try become(uid: 0, gid: 0, groups: []) }
            if plan.createsIPCNamespace { try step(.namespaces) { () throws(SystemError) in try leave(.ipc) } }
        }
        try step(.cgroup) { () throws(SystemError) in try membership.join() }
        try joined.enterAll()
        if plan.createsCgroupNamespace {
            try step(.namespaces) { () throws(SystemError) in try leave(.cgroup) }
        }
        var procfs: Int32?
        let root = try makeRoot(&procfs)
        let spec = launch.spec
        try step(.hostname) { () throws(SystemError) in
            if let hostname = spec.hostname, !hostname.isEmpty { try setHostname(hostname) }
            if let domainname = spec.domainname, !domainname.isEmpty { try setDomainname(domainname) }
        }
        try writeSysctls(procfs)

        var console: Int32?
        var greeting: [Int32] = []
        if case .terminal(let size) = launch.stdio {
            let pair = try step(.console) { () throws(SystemError) in try Console.make(in: root, size: size) }
            console = pair.peer
            greeting = [pair.master]
        }
        try step(.masks) { () throws(SystemError) in
            let masks = MaskStep()
            try masks.mask(spec.linux.maskedPaths, in: root)
            try masks.protect(spec.linux.readonlyPaths, in: root)
        }
        try makeWorkingDirectory(in: root)
        try step(.mounts) { () throws(SystemError) in try mountStep.protect(plan.mounts, in: root) }
        try step(.rootfs) { () throws(SystemError) in
            if spec.root.readonly { try changeMount(root.raw, set: .readOnly) }
        }
        try step(.rootfs) { () throws(SystemError) in
            try root.pivot(avoidingPivotRoot: launch.avoidsPivotRoot)
            // A root that is shared already cannot be pivoted to.
            if plan.propagation != .private {
                try changeMount(root.raw, propagation: plan.propagation, recursive: true)
            }
        }
        try installStreams(console)

        // What is left open goes with exec; the channel does too, which tells the parent. It is done before a filter can
        // forbid it.
        try step(.exec) { () throws(SystemError) in try closeOnExec(from: 3 + launch.preservedDescriptors) }
        let process = ProcessStep(
            process: plan.process, procfs: procfs, keepsSessionKeyring: launch.keepsSessionKeyring,
            sessionName: launch.id)
        let program = try process.prepare(terminal: console)
        if !greeting.isEmpty || launch.gate.isFifo {
            try step(.exec) { () throws(SystemError) in
                try sendMessage(peer, LaunchChannel.ready, descriptors: greeting)
            }
        }
        if case .fifo(let gate) = launch.gate {
            closeAll(except: [gate, peer], from: 3 + launch.preservedDescriptors)
            try awaitStart(gate)
        }
        if launch.reapingInit { try step(.exec) { () throws(SystemError) in try ReapingInit.splitOff() } }
        let failure = execute(
            program.path, arguments: plan.process.arguments, environment: program.environment)
        throw RuntimeFailure(
            .exec, "exec \(plan.process.arguments[0]): \(failure.reason)", errno: failure.errno)
    }

    private var mountStep: MountStep {
        MountStep(
            ownCgroupNamespace: plan.createsCgroupNamespace, cgroups: membership.layout, cgroupPath: membership.path,
            sources: sources)
    }

    /// The root file system with everything in it, and a procfs that is proven to be one.
    ///
    /// - Parameter procfs: an open root of the container's `/proc`, where it has one.
    private func makeRoot(_ procfs: inout Int32?) throws(RuntimeFailure) -> ContainerRoot {
        let root = try step(.rootfs) { () throws(SystemError) in
            // Nothing that happens here reaches the host; with a slave or shared root the host's unmounts still arrive.
            try changePropagation(ofEverything: plan.propagation == .private ? .private : .slave)
            return try ContainerRoot(launch.rootfs)
        }
        let mounts = mountStep
        for mount in plan.mounts {
            let opened = try step(.mounts) { () throws(SystemError) in
                do throws(SystemError) { return try mounts.perform(mount, in: root) } catch {
                    throw error.about("\(error.subject.map { $0 + ", " } ?? "")for \(mount.destination)")
                }
            }
            if let opened { procfs = opened }
        }
        try step(.devices) { () throws(SystemError) in
            // /dev as a bind of the host's is left as it is.
            if plan.mounts.contains(where: { $0.destination == "/dev" && $0.kind.isBind }) { return }
            let before = umask(0)
            defer { _ = umask(before) }
            try DeviceStep(bindsFromHost: plan.mappings != nil, prepared: devices).perform(
                launch.spec.linux.devices, in: root)
        }
        if let procfs {
            // Law 3: what labels, limits and parameters are written through must be the real thing.
            let type = try step(.mounts) { () throws(SystemError) in try fileSystemType(of: procfs) }
            guard type == Int(PROC_SUPER_MAGIC) else { throw RuntimeFailure(.mounts, "/proc is not a procfs") }
        }
        return root
    }

    private func writeSysctls(_ procfs: Int32?) throws(RuntimeFailure) {
        let parameters = launch.spec.linux.sysctl
        if parameters.isEmpty { return }
        guard let procfs else {
            throw RuntimeFailure(.sysctl, "the container has no /proc to set kernel parameters by")
        }
        for (key, value) in parameters.sorted(by: { $0.key < $1.key }) {
            try step(.sysctl) { () throws(SystemError) in
                let path = "sys/" + String(key.replacingSlashes.map { $0 == "." ? "/" : $0 })
                let file = try open(in: procfs, path, O_WRONLY, resolve: [.beneath, .noSymlinks, .noMountCrossing])
                do throws(SystemError) { try writeAll(file.raw, value) } catch { throw error.about("\(key)=\(value)") }
            }
        }
    }

    /// Docker makes the image's working directory where it is missing.
    private func makeWorkingDirectory(in root: borrowing ContainerRoot) throws(RuntimeFailure) {
        try step(.workingDirectory) { () throws(SystemError) in
            do throws(SystemError) { _ = try root.directory(plan.process.directory) } catch {
                // Read-only or not a directory: the change into it will say so.
                if error.errno != EROFS && error.errno != ENOTDIR && error.errno != EEXIST { throw error }
            }
        }
    }

    private func installStreams(_ console: Int32?) throws(RuntimeFailure) {
        try step(.console) { () throws(SystemError) in
            if let console {
                try takeTerminal(console)
                for number in Int32(0)...2 { try install(console, as: number) }
            } else if case .descriptors(let input, let output, let error) = launch.stdio {
                try ContainerRuntime.installStreams(input, output, error)
            }
        }
    }

    /// Closes what only this process has had a use for, which may be a long time before the program begins.
    ///
    /// C function: `close_range`; a filter that forbids it leaves them to exec, which closes them as well.
    private func closeAll(except kept: [Int32], from first: Int32) {
        var next = UInt32(first)
        for raw in kept.sorted() where raw >= first {
            if UInt32(raw) > next { _ = close_range(next, UInt32(raw) - 1, 0) }
            next = UInt32(raw) + 1
        }
        _ = close_range(next, UInt32.max, 0)
    }

    /// Waits for `start`.
    ///
    /// The FIFO is open for writing here as well, so that the read blocks instead of seeing its end.
    private func awaitStart(_ gate: Int32) throws(RuntimeFailure) {
        // The first process of a pid namespace is sent only what it has a handler for, and kill must reach it here too.
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] { skiff_exit_on_signal(signal) }
        defer { try? resetSignals() }
        try step(.exec) { () throws(SystemError) in
            var byte: UInt8 = 0
            let count = try withUnsafeMutableBytes(of: &byte) { (buffer) throws(SystemError) in
                try read(gate, into: buffer)
            }
            if count != 1 { throw SystemError("read", errno: EPIPE, subject: "start") }
        }
    }
}

extension PlannedMount.Kind {
    var isBind: Bool { if case .bind = self { true } else { false } }
}
