import CLinux
import JSON
import Linux
import OCI
import Testing

/// The same bundles under crun and under ours; what the process inside sees is compared field by field.
///
/// crun refuses hybrid cgroups, so both run where the unified mount is hidden.
@Suite(
    .serialized, .enabled(if: geteuid() == 0, "namespaces and mounts need root"),
    .enabled(if: access("/usr/bin/crun", X_OK) == 0, "needs crun to compare with (Debian: crun)"))
struct DifferentialTests {
    /// Prints what a process can see of its container, a section at a time.
    static let probe = """
        section() { echo "== $1"; }
        section mountinfo; cat /proc/self/mountinfo
        section status; grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Umask|NSpid)' /proc/self/status
        section limits; cat /proc/self/limits
        section oom; cat /proc/self/oom_score_adj
        section environment; env
        section directory; pwd
        section descriptors; ls /proc/1/fd
        section names; hostname; cat /proc/sys/kernel/domainname
        section parameters; cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax
        section cgroups; cut -d: -f2,3 /proc/self/cgroup
        section devices; for f in /dev/*; do stat -c '%n %F %a %u %g %t %T' $f; readlink $f; done
        section rights; (echo x > /dev/null) 2>&1; (: < /dev/kmsg) 2>&1; (: > /etc/probe) 2>&1; ls -ld /tmp /root 2>&1 | cut -c1-10
        section links; readlink /proc/self/ns/user | cut -c1-5; readlink /proc/1/root || echo none
        """

    @Test func processesSeeTheSame() throws {
        let bench = try Bench()
        defer { bench.remove() }
        var generator = BundleGenerator(seed: 0x5EED)
        var differences: [String] = []
        for number in 0..<64 {
            let spec = generator.spec(probe: Self.probe, shared: bench.shared)
            let theirs = try bench.run("/usr/bin/crun", spec, number), ours = try bench.run(bench.ours, spec, number)
            guard theirs.code == ours.code, theirs.sections.count > 1 || ours.sections.count <= 1 else {
                differences.append(
                    "\(number): exit \(theirs.code) and \(ours.code)\n  \(theirs.errors)\n  \(ours.errors)")
                continue
            }
            for name in Set(theirs.sections.keys).union(ours.sections.keys).sorted() {
                let left = theirs.sections[name] ?? [], right = ours.sections[name] ?? []
                if left == right { continue }
                let gone = left.filter { !right.contains($0) }, new = right.filter { !left.contains($0) }
                differences.append("\(number): \(name)\n  crun: \(gone)\n  ours: \(new)")
            }
        }
        #expect(differences.isEmpty, "\(differences.joined(separator: "\n"))")
    }
}

/// A root file system, cgroup limits and two runtimes to run it by.
private struct Bench {
    let path: String
    let ours: String
    var shared: String { path + "/shared" }

    init() throws {
        path = "/tmp/skiff-differential-\(getpid())"
        ours =
            try readLink("/proc/self/exe").split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
            + "/skiff-runtime"
        for directory in ["bin", "dev", "etc", "mnt", "proc", "root", "sys", "tmp"] {
            try makeDirectories("\(path)/rootfs/\(directory)")
        }
        try makeDirectories(shared + "/below")
        try writeFile(shared + "/file", Array("file\n".utf8))
        try writeFile(path + "/rootfs/bin/busybox", readFile("/bin/busybox", limit: 8 << 20), mode: 0o755)
        for applet in ["sh", "ls", "cat", "cut", "env", "grep", "hostname", "pwd", "readlink", "sed", "stat"] {
            try makeSymlink("\(path)/rootfs/bin/\(applet)", to: "busybox")
        }
        try writeFile(path + "/rootfs/etc/passwd", Array("root:x:0:0::/root:/bin/sh\n".utf8))
        try writeFile(path + "/rootfs/etc/group", Array("root:x:0:\n".utf8))
        // Whoever is root in a user namespace has to get there.
        try writeFile(path + "/rootfs/etc/probe", [], mode: 0o666)
    }

    func remove() { try? removeTree(path) }

    struct Seen {
        var code: Int32
        var errors: String
        /// Lines by section, in an order of their own.
        var sections: [String: [String]]
    }

    func run(_ runtime: String, _ spec: RuntimeSpec, _ number: Int) throws -> Seen {
        var spec = spec
        spec.linux.cgroupsPath = "/skiff-differential-\(getpid())/c\(number)"
        try writeFile(path + "/config.json", spec.json.serialized())
        let out = path + "/out", err = path + "/err"
        let output = try open(out, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        let errors = try open(err, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        // Not the host's null device: crun gives its standard input to the container's user.
        let input = try open(path + "/in", O_RDONLY | O_CREAT, mode: 0o644)
        let hide = "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$0\" \"$@\""
        let pid = try Spawn(
            "/usr/bin/unshare",
            arguments: [
                "unshare", "-m", "--propagation", "private", "/bin/sh", "-c", hide, runtime, "--root", path + "/state",
                "run", "--bundle", path, "c\(number)",
            ], environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
            descriptors: [(input.raw, 0), (output.raw, 1), (errors.raw, 2)]
        ).start()
        let end = try PidFD(pid).wait()
        let hierarchies = try open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY)
        for hierarchy in try readDirectory(hierarchies.raw) {
            let group = "/sys/fs/cgroup/\(hierarchy.name.text)/skiff-differential-\(getpid())"
            try? unlink(group + "/c\(number)", directory: true)
            try? unlink(group, directory: true)
        }
        return Seen(
            code: end?.code ?? -1, errors: try readText(err), sections: sections(try readText(out), spec))
    }

    private func sections(_ text: String, _ spec: RuntimeSpec) -> [String: [String]] {
        var sections: [String: [String]] = [:]
        var name = ""
        for line in text.split(separator: "\n", omittingEmptySubsequences: true) {
            if line.hasPrefix("== ") {
                name = String(line.dropFirst(3))
                sections[name] = []
            } else {
                if name == "devices",
                    ["/dev/null ", "/dev/core ", "/proc/kcore"].contains(where: { line.hasPrefix($0) })
                {
                    // crun gives its standard input, our null device, to the user; /dev/core it makes even to nowhere.
                    continue
                }
                sections[name, default: []].append(
                    name == "mountinfo" ? mount(line, spec.linux) : String(line))
            }
        }
        for name in ["mountinfo", "environment"] { sections[name]?.sort() }
        return sections
    }

    /// A mount without what differs from run to run, and without what is each runtime's own affair: how a path is hidden,
    /// which flags a write-protected one keeps besides, and what the tmpfs around the v1 hierarchies is like.
    private func mount(_ line: Substring, _ linux: RuntimeSpec.LinuxSettings) -> String {
        let fields = line.split(separator: " ").map(String.init)
        guard let dash = fields.firstIndex(of: "-"), fields.count > dash + 3, dash > 5 else { return String(line) }
        let place = fields[4]
        if linux.maskedPaths.contains(place) { return "\(place) masked" }
        let propagation = fields[6..<dash].map { String($0.prefix { $0 != ":" }) }.sorted()
        var data = fields[dash + 3].split(separator: ",").map(String.init).filter { !$0.hasPrefix("inode") }.sorted()
        var options = fields[5].split(separator: ",").map(String.init).sorted()
        if linux.readonlyPaths.contains(place) { options = options.filter { $0 == "ro" || $0 == "rw" } }
        if linux.namespace(.user) != nil, place.hasPrefix("/mnt/") {
            // crun 1.8 loses these flags of binds in a user namespace; ours keeps them.
            options = options.filter { !["nodev", "noexec", "nosuid"].contains($0) }
        }
        if place == "/sys/fs/cgroup" {
            data = []
            options = options.filter { $0 != "ro" && $0 != "rw" }
        }
        var root = fields[3]
        if fields[dash + 1] == "cgroup2", linux.namespace(.cgroup) == nil, root == linux.cgroupsPath {
            // Without a cgroup namespace crun shows the whole hierarchy; ours the container's group alone, as runc does.
            root = "/"
        }
        let lists = [options, propagation, data].map { $0.joined(separator: ",") }
        return ([place, root, fields[dash + 1]] + lists).joined(separator: " ")
    }
}
