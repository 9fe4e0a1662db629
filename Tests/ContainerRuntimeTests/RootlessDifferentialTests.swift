import CLinux
import Linux
import OCI
import Testing

/// The same documents of an ordinary user's under crun and under ours; what the process inside sees is compared.
///
/// crun refuses hybrid cgroups, so both run where the unified mount is hidden.
@Suite(
    .serialized, .enabled(if: Bundle.canRun, "becoming a user needs root"),
    .enabled(if: access("/usr/bin/crun", X_OK) == 0, "needs crun to compare with (Debian: crun)"),
    .enabled(if: UserBundle.hasHelpers, "needs newuidmap and newgidmap (Debian: uidmap)"))
struct RootlessDifferentialTests {
    private static let probe =
        DifferentialTests.probe + """

            section maps; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups
            section net; ip addr show dev lo; ls /sys/class/net
            """

    /// What the documents differ in.
    private static let changes: [(name: String, change: @Sendable (inout RuntimeSpec) -> Void)] = [
        ("one id", { _ in }),
        ("ranges", { $0.mapRange() }),
        ("the host's network", { $0.linux.namespaces.removeAll { $0.kind == .network } }),
        ("a read-only root", { $0.root.readonly = true }),
        (
            "another user",
            {
                $0.mapRange()
                $0.process?.user = .numbers(1000, 1001, groups: [5, 7])
                // Whom /etc/passwd does not know ours gives a home, as runc does, and crun none.
                $0.process?.environment.append("HOME=/")
            }
        ),
        (
            "limits",
            {
                $0.process?.oomScoreAdjustment = 300
                $0.process?.noNewPrivileges = false
                $0.process?.rlimits = [RuntimeSpec.ResourceLimit(type: "RLIMIT_NOFILE", soft: 100, hard: 200)]
            }
        ),
        (
            "file systems",
            {
                $0.mounts.append(
                    .init(
                        destination: "/mnt/small", type: "tmpfs", source: "tmpfs",
                        options: ["size=1m", "mode=700", "noexec"]))
                $0.mounts.append(
                    .init(destination: "/mnt/bound", type: "bind", source: "/dev/shm", options: ["bind", "noexec"]))
            }
        ),
        (
            "kernel parameters",
            { $0.linux.sysctl = ["net.ipv4.ping_group_range": "0 0", "kernel.msgmax": "9000"] }
        ),
    ]

    @Test(arguments: changes.indices) func processesSeeTheSame(index: Int) throws {
        let (name, change) = Self.changes[index]
        let bundle = try UserBundle()
        defer { bundle.remove() }
        for applet in ["cut", "env"] { try makeSymlink("\(bundle.path)/rootfs/bin/\(applet)", to: "busybox") }
        try bundle.write(
            Self.probe,
            mounts: [
                .init(
                    destination: "/sys", type: "none", source: "/sys",
                    options: ["rbind", "nosuid", "noexec", "nodev", "ro"])
            ],
            { spec in
                spec.version = "1.0.0"
                spec.linux.namespaces.removeAll { $0.kind == .cgroup }
                change(&spec)
            })
        // Not the host's null device: crun gives its standard input to the container's user.
        let input = try open(bundle.path + "/in", O_RDONLY | O_CREAT, mode: 0o644)
        let (theirs, ours) = try UserBundle.whileInterfacesChange {
            try (seen(by: "/usr/bin/crun", bundle, input.raw), seen(by: bundle.path + "/program", bundle, input.raw))
        } agree: {
            $0["net"] == $1["net"]
        }
        #expect(ours["status"]?.isEmpty == false, "\(name)")
        for section in Set(theirs.keys).union(ours.keys).sorted() {
            #expect(ours[section] == theirs[section], "\(name): \(section)")
        }
    }

    /// The probe's sections.
    private func seen(by runtime: String, _ bundle: UserBundle, _ input: Int32) throws -> [String: [String]] {
        let result = try bundle.asUser(
            [
                runtime, "--root", "\(bundle.path)/run/\(runtime.split(separator: "/").last ?? "")", "run", "--bundle",
                bundle.path, bundle.id,
            ], before: "umount /sys/fs/cgroup/unified 2>/dev/null || :", passing: [(input, 0)])
        #expect(result.code == 0, "\(runtime): \(result.errors)")
        var sections: [String: [String]] = [:]
        var name = ""
        for line in result.lines {
            if line.hasPrefix("== ") {
                name = String(line.dropFirst(3))
            } else if !["/dev/core ", "/proc/kcore"].contains(where: { line.hasPrefix($0) }) {
                sections[name, default: []].append(name == "mountinfo" ? Self.mount(line) : line)
            }
        }
        for name in ["mountinfo", "environment"] { sections[name]?.sort() }
        return sections
    }

    /// A mount without its numbers; of a path that is hidden or write-protected only that it is.
    private static func mount(_ line: String) -> String {
        let fields = line.split(separator: " ").map(String.init)
        guard let dash = fields.firstIndex(of: "-"), fields.count > dash + 3, dash > 5 else { return line }
        let place = fields[4]
        if ["/proc/kcore", "/proc/keys", "/proc/scsi"].contains(place) { return "\(place) masked" }
        if place == "/proc/sys" { return "\(place) \(fields[5].split(separator: ",").contains("ro"))" }
        let options = fields[5].split(separator: ",").sorted().joined(separator: ",")
        let propagation = fields[6..<dash].map { String($0.prefix { $0 != ":" }) }.sorted().joined(separator: ",")
        return [place, fields[3], options, propagation, fields[dash + 1], fields[dash + 3]].joined(separator: " ")
    }
}
