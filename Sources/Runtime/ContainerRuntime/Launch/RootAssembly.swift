internal import CLinux
internal import Linux
internal import OCI

/// The container's root file system, put together in the new process.
extension ContainerChild {
    func mountStep(_ peer: Int32) -> MountStep {
        let namespaces = launch.spec.linux.namespaces
        return MountStep(
            ownCgroupNamespace: plan.createsCgroupNamespace, cgroups: membership.layout, cgroupPath: membership.path,
            inUserNamespace: plan.mappings != nil || joined.user != nil, sources: sources,
            parent: peer, procfs: shared?.procfs, sharesProcesses: !namespaces.contains { $0.kind == .pid },
            sharesQueues: !namespaces.contains { $0.kind == .ipc })
    }

    /// The root file system with everything in it, and a procfs that is proven to be one.
    ///
    /// - Parameter procfs: an open root of the container's `/proc`, where it has one.
    func makeRoot(_ procfs: inout Int32?, _ peer: Int32) throws(RuntimeFailure) -> ContainerRoot {
        let root = try step(.rootfs) { () throws(SystemError) in
            try changePropagation(ofEverything: plan.propagation.ofCopies)
            // Not before: where the host's mounts are shared, as systemd makes them, it would be attached there too.
            if plan.created.contains(.mount) { launch.seal?.attach() }
            return try ContainerRoot(launch.rootfs, opened: sources.root)
        }
        let mounts = mountStep(peer)
        var waiting = WaitingMounts(plan.mounts, network: networkComes, groups: joinsLate, rootfs: launch.rootfs)
        for number in plan.mounts.indices {
            switch waiting.turn(of: number, isPlain: { root.isPlain($0) }, isPlainSource: isPlainOnHost) {
            case .waits: continue
            case .now: break
            case .behindThem: try catchUp(&waiting, mounts, in: root, &procfs, peer)
            }
            try perform(number, mounts, in: root, &procfs)
        }
        let areEarly = try makeDevicesEarly(waiting, in: root)
        try catchUp(&waiting, mounts, in: root, &procfs, peer)
        if !areEarly { try makeDevices(in: root) }
        if let procfs, !Procfs.isRoot(procfs) { throw RuntimeFailure(.mounts, "/proc is not a procfs") }
        return root
    }

    /// Waits for what the parent makes, and performs what has waited for it.
    private func catchUp(
        _ waiting: inout WaitingMounts, _ mounts: MountStep, in root: borrowing ContainerRoot, _ procfs: inout Int32?,
        _ peer: Int32
    ) throws(RuntimeFailure) {
        if waiting.isOver { return }
        try LaunchChannel.awaitMade(peer)
        if joinsLate, plan.createsCgroupNamespace {
            try step(.namespaces) { () throws(SystemError) in try leave(.cgroup) }
        }
        for number in waiting.end() { try perform(Int(number), mounts, in: root, &procfs) }
    }

    private func perform(
        _ number: Int, _ mounts: MountStep, in root: borrowing ContainerRoot, _ procfs: inout Int32?
    ) throws(RuntimeFailure) {
        let mount = plan.mounts[number]
        let opened: Int32?
        do throws(SystemError) { opened = try mounts.perform(mount, number, in: root) } catch {
            throw RuntimeFailure(
                .mounts, error.about("\(error.subject.map { $0 + ", " } ?? "")for \(mount.destination)"))
        }
        if let opened { procfs = opened }
    }

    /// Makes the devices ahead of what waits for the parent, where nothing speaks against it.
    ///
    /// - Returns: whether they are made.
    private func makeDevicesEarly(
        _ waiting: WaitingMounts, in root: borrowing ContainerRoot
    ) throws(RuntimeFailure) -> Bool {
        guard !waiting.isOver,
            waiting.allowsDevices(launch.spec.linux.devices, isPlain: { root.isPlain($0) })
        else { return false }
        do throws(RuntimeFailure) {
            try makeDevices(in: root)
            return true
        } catch {
            // The caller's group may not allow what the container's own does.
            guard joinsLate, !bindsDevices, error.errno == EPERM else { throw error }
            return false
        }
    }

    private var bindsDevices: Bool { plan.mappings != nil || joined.user != nil || isInUserNamespace() }

    private func makeDevices(in root: borrowing ContainerRoot) throws(RuntimeFailure) {
        // /dev as a bind of the host's is left as it is.
        if plan.mounts.contains(where: { $0.destination == "/dev" && $0.kind.isBind }) { return }
        let before = umask(0)
        defer { _ = umask(before) }
        do throws(SystemError) {
            try DeviceStep(bindsFromHost: bindsDevices, prepared: devices).perform(
                launch.spec.linux.devices, in: root)
        } catch { throw RuntimeFailure(.devices, error) }
    }
}
