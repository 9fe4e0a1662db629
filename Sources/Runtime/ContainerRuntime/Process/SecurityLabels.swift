internal import CLinux
internal import Linux
internal import OCI

/// Which of the kernel's security modules that know labels this host runs.
struct SecurityModules: Sendable, Equatable {
    var apparmor: Bool
    var selinux: Bool

    /// File: `/sys/module/apparmor/parameters/enabled`; file system: selinuxfs.
    static func detect() -> SecurityModules {
        let apparmor = (try? readText("/sys/module/apparmor/parameters/enabled", limit: 64))?.hasPrefix("Y") ?? false
        var selinux = false
        if let directory = try? open("/sys/fs/selinux", O_PATH | O_DIRECTORY) {
            selinux = (try? fileSystemType(of: directory.raw)) == Int(SELINUX_MAGIC)
        }
        return SecurityModules(apparmor: apparmor, selinux: selinux)
    }
}

/// The labels a process takes on with its next `exec`.
///
/// A label that is asked for and cannot be had is an error: a container that runs with less confinement than was asked for
/// is worse than one that does not run.
struct SecurityLabels: Sendable, Equatable {
    /// What is written into which file of the process's own directory in procfs.
    var writes: [Write] = []

    struct Write: Sendable, Equatable {
        var file: String
        var text: String
    }

    /// - Parameter modules: what the host has; asked for only where a label is.
    init(_ process: RuntimeSpec.Process, modules: () -> SecurityModules = SecurityModules.detect)
        throws(RuntimeFailure)
    {
        let profile = process.apparmorProfile ?? "", label = process.selinuxLabel ?? ""
        if profile.isEmpty, label.isEmpty { return }
        let there = modules()
        for (member, value) in [("apparmorProfile", profile), ("selinuxLabel", label)]
        where value.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "\n") }) {
            throw RuntimeFailure(.specification, "process.\(member): a label is one line")
        }
        if there.apparmor, !profile.isEmpty {
            writes.append(Write(file: "attr/apparmor/exec", text: "exec \(profile)"))
        } else if !profile.isEmpty, profile != "unconfined" {
            throw RuntimeFailure(
                .specification, "process.apparmorProfile: \(profile): AppArmor is not enabled on this host")
        }
        if !label.isEmpty {
            guard there.selinux else {
                throw RuntimeFailure(
                    .specification, "process.selinuxLabel: \(label): SELinux is not enabled on this host")
            }
            writes.append(Write(file: "attr/exec", text: label))
        }
    }

    /// Writes them through a procfs that is proven to be one (CVE-2019-16884, CVE-2025-52881).
    func apply(through procfs: Int32?) throws(RuntimeFailure) {
        if writes.isEmpty { return }
        guard let procfs else {
            throw RuntimeFailure(.capabilities, "there is no /proc to set security labels by")
        }
        for write in writes {
            try step(.capabilities) { () throws(SystemError) in
                let file = try openAttribute(write.file, procfs)
                do throws(SystemError) { try writeAll(file.raw, write.text) } catch {
                    throw error.about("\(write.text) to \(write.file)\(Self.advice(error, write))")
                }
            }
        }
    }

    private static func advice(_ error: SystemError, _ write: Write) -> String {
        // aa_change_profile() in the kernel's security/apparmor/domain.c.
        error.errno == ENOENT && write.text.hasPrefix("exec ")
            ? ", a profile that is not loaded (apparmor_parser loads one)" : ""
    }

    private func openAttribute(_ name: String, _ procfs: Int32) throws(SystemError) -> OwnedDescriptor {
        let own = try Linux.open(
            in: procfs, "thread-self", O_PATH | O_DIRECTORY, resolve: [.beneath, .noMountCrossing])
        do {
            return try Linux.open(in: own.raw, name, O_WRONLY, resolve: [.beneath, .noSymlinks, .noMountCrossing])
        } catch {
            // Before Linux 5.1 AppArmor had no directory of its own.
            guard error.errno == ENOENT, name != "attr/exec" else { throw error }
        }
        return try Linux.open(in: own.raw, "attr/exec", O_WRONLY, resolve: [.beneath, .noSymlinks, .noMountCrossing])
    }
}
