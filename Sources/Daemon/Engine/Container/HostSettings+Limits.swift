internal import Failures
internal import JSON
internal import Linux

extension HostSettings {
    /// Checks what can be seen to be wrong without looking at anything else, in Docker's words where it has some.
    ///
    /// - Throws: `invalid` that names the value.
    func validate() throws(Failure) {
        if autoRemove, restartPolicy.name != .no {
            throw Failure(.invalid, "can't create 'AutoRemove' container with restart policy")
        }
        if networkMode == "host", utsMode == "host", !links.isEmpty {
            throw Failure(.invalid, "conflicting options: links and host networking")
        }
        for server in dns where !isInternetAddress(server) {
            throw Failure(.invalid, "invalid DNS server \"\(server)\": it should be an IP address")
        }
        try validateMemory()
        try validateProcessors()
        try validateModes()
        try refuseWhatIsNotDone()
    }

    private func validateMemory() throws(Failure) {
        if let memory, memory < 6 << 20 { throw Failure(.invalid, "Minimum memory limit allowed is 6MB") }
        if let memorySwap, memorySwap > 0, memorySwap < memory ?? 0 {
            throw Failure(.invalid, "Minimum memoryswap limit should be larger than memory limit, see usage")
        }
        if memorySwap ?? 0 > 0, memory == nil {
            throw Failure(.invalid, "You should always set the Memory limit when using Memoryswap limit, see usage")
        }
        if let memory, let memoryReservation, memory < memoryReservation {
            throw Failure(.invalid, "Minimum memory limit can not be less than memory reservation limit, see usage")
        }
        if let memorySwappiness, memorySwappiness > 100 {
            throw Failure(.invalid, "Invalid value: \(memorySwappiness), valid memory swappiness range is 0-100")
        }
        if !(-1000...1000).contains(oomScoreAdj) {
            throw Failure(.invalid, "Invalid value \(oomScoreAdj), range for oom score adj is [-1000, 1000]")
        }
    }

    private func validateProcessors() throws(Failure) {
        if nanoCPUs != nil, cpuPeriod != nil {
            throw Failure(.invalid, "Conflicting options: Nano CPUs and CPU Period cannot both be set")
        }
        if nanoCPUs != nil, cpuQuota != nil {
            throw Failure(.invalid, "Conflicting options: Nano CPUs and CPU Quota cannot both be set")
        }
        if let cpuPeriod, !(1000...1_000_000).contains(cpuPeriod) {
            throw Failure(
                .invalid, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
        }
        if let cpuQuota, cpuQuota < 1000 {
            throw Failure(.invalid, "CPU cfs quota can not be less than 1ms (i.e. 1000)")
        }
    }

    /// Whose namespaces the container has.
    private func validateModes() throws(Failure) {
        func check(_ mode: String, _ name: String, _ words: Set<String>, sharing: Bool) throws(Failure) {
            let other = NetworkPlan.sharedWith(mode)
            guard words.contains(mode) || (sharing && other?.isEmpty == false) else {
                throw Failure(.invalid, "invalid \(name) mode: \(mode)")
            }
        }
        try check(ipcMode, "IPC", ["private", "shareable", "host", "none"], sharing: true)
        try check(pidMode, "PID", ["", "host"], sharing: true)
        try check(utsMode, "UTS", ["", "host"], sharing: false)
        try check(usernsMode, "user namespace", ["", "host"], sharing: false)
        try check(cgroupnsMode, "cgroup namespace", ["private", "host"], sharing: false)
    }

    /// What would change how the container runs and is not done is refused, never left out in silence.
    private func refuseWhatIsNotDone() throws(Failure) {
        let fields = Fields(.object(json))
        let isolation = try fields.text("Isolation")
        guard ["", "default"].contains(isolation) else {
            throw Failure(.invalid, "invalid isolation '\(isolation)' on linux")
        }
        if let request = try fields.array("DeviceRequests").first {
            let request = Fields(request)
            let wanted = try request.array("Capabilities").map { list in
                "[\((list.arrayValue ?? []).compactMap(\.stringValue).joined(separator: " "))]"
            }
            throw Failure(
                .invalid,
                "could not select device driver \"\(try request.text("Driver"))\" with capabilities: [\(wanted.joined(separator: " "))]"
            )
        }
        let driver = try fields.text("VolumeDriver")
        guard ["", "local"].contains(driver) else {
            throw Failure(.invalid, "error looking up volume plugin \(driver): plugin \"\(driver)\" not found")
        }
        if let option = try fields.dictionary("StorageOpt").keys.sorted().first {
            throw Failure(.invalid, "storage option \"\(option)\" is not supported: leave --storage-opt out")
        }
        for (name, flag) in [("CpuRealtimePeriod", "--cpu-rt-period"), ("CpuRealtimeRuntime", "--cpu-rt-runtime")]
        where try fields.integer(name) ?? 0 != 0 {
            throw Failure(.invalid, "real-time scheduling of containers is not supported: leave \(flag) out")
        }
        for (name, flag) in Self.deviceLimits where try !fields.array(name).isEmpty {
            throw Failure(.invalid, "limits of single devices are not supported: leave \(flag) out")
        }
    }

    private static let deviceLimits = [
        ("BlkioWeightDevice", "--blkio-weight-device"), ("BlkioDeviceReadBps", "--device-read-bps"),
        ("BlkioDeviceWriteBps", "--device-write-bps"), ("BlkioDeviceReadIOps", "--device-read-iops"),
        ("BlkioDeviceWriteIOps", "--device-write-iops"),
    ]
}
