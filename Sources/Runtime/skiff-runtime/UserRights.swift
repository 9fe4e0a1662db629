internal import ContainerRuntime
internal import Linux
internal import OCI

extension RuntimeContext {
    /// The group a process that enters is put into; none where the caller's own place in the hierarchy forbids it, as runc
    /// has it.
    func groupToEnter(_ own: Cgroup, _ place: CgroupPlace) throws -> Cgroup {
        let cgroup = try own.joining(place)
        // A user's own systemd moves the process there.
        if cgroup.scope?.isUser == true { return cgroup }
        guard isRootless, !cgroup.layout.isV1, !cgroup.path.isEmpty, place == CgroupPlace(),
            !DelegatedGroup.mayEnter(cgroup.path, cgroup.layout)
        else { return cgroup }
        log.note("the process stays out of cgroup \(cgroup.path): this user may not move processes there from its own")
        return .none(cgroup.layout)
    }

    /// Leaves the score by which the kernel ends processes for want of memory as it is where it should be lower than the
    /// caller's: only root may lower it.
    ///
    /// File: `/proc/self/oom_score_adj`, proc_pid_oom_score_adj(5).
    func keepOutOfMemoryScore(of process: inout RuntimeSpec.Process) {
        guard isRootless, let wanted = process.oomScoreAdjustment,
            let text = try? readText("/proc/self/oom_score_adj", limit: 64),
            let own = Int32(text.filter { !$0.isWhitespace }), wanted < own
        else { return }
        process.oomScoreAdjustment = nil
        log.note("process.oomScoreAdj stays \(own): only root may lower it to \(wanted)")
    }
}
