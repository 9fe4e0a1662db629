internal import Execution
internal import Failures

extension SettingsReader {
    /// Who makes containers' cgroups, and where: `native.cgroupdriver` of `exec-opts`, and `cgroup-parent`.
    ///
    /// - Parameter instance: what tells this daemon from another; empty for the default one.
    func cgroups(instance: String) throws(Failure) -> CgroupPlacement {
        let asked = try cgroupDriver()
        let driver = asked ?? .ofThisHost
        let standard = driver == .systemd ? "system.slice" : Self.standardParent(instance)
        let placement = try CgroupPlacement(
            driver, parent: text("cgroup-parent").flatMap { $0.isEmpty ? nil : $0 } ?? standard)
        if asked == .systemd, !CgroupDriver.isSystemdTheInit {
            throw Failure(
                .invalid,
                "native.cgroupdriver=systemd: systemd is not the init of this host (there is no /run/systemd/system): "
                    + "use native.cgroupdriver=cgroupfs")
        }
        return placement
    }

    /// Nil where nobody says.
    private func cgroupDriver() throws(Failure) -> CgroupDriver? {
        var chosen: CgroupDriver?
        for (name, value) in try list("exec-opts").map({ (item) throws(Failure) in try pair(item, "exec-opts") }) {
            guard name.lowercased() == "native.cgroupdriver" else {
                throw Failure(.invalid, "exec-opts: \(name) is not known: native.cgroupdriver is what there is")
            }
            // dockerd's word for "as if it were not said".
            if value.isEmpty { continue }
            guard let driver = CgroupDriver(rawValue: value) else {
                throw Failure(
                    .invalid, "native.cgroupdriver option \(value) not supported: use systemd or cgroupfs")
            }
            guard chosen == nil || chosen == driver else {
                throw Failure(.invalid, "native.cgroupdriver is given as both systemd and cgroupfs: leave one out")
            }
            chosen = driver
        }
        return chosen
    }

    /// `/skiff`, and for another data root one that several daemons do not share.
    private static func standardParent(_ instance: String) -> String {
        guard !instance.isEmpty else { return "/skiff" }
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in instance.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return "/skiff-" + String(hash, radix: 16)
    }
}
