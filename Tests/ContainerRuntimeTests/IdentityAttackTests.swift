import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Attacks by who a process is said to be, and by the files that say it; each is named by its advisory.
@Suite(.serialized, .enabled(if: Bundle.canRun, "namespaces and mounts need root"))
struct IdentityAttackTests {
    private let bundle: Bundle

    init() throws { bundle = try Bundle() }

    private var passwd: String { bundle.path + "/rootfs/etc/passwd" }

    /// CVE-2024-40635: an id by which the kernel means "as it is", which would be root.
    @Test(arguments: ["uid", "gid", "additionalGids"]) func theLastIdIsNobody(member: String) throws {
        defer { bundle.remove() }
        let result = try bundle.run("echo ran") { spec in
            // With a home of its own nobody is looked up.
            spec.process?.environment.append("HOME=/")
            switch member {
            case "uid": spec.process?.user.uid = .max
            case "gid": spec.process?.user.gid = .max
            default: spec.process?.user.additionalGids = [.max]
            }
        }
        #expect(result.code != 0 && !result.output.contains("ran"))
        #expect(result.errors.contains("process.user.\(member): 4294967295 is not an id"), "\(result.errors)")
    }

    /// CVE-2024-40635: the same by a line of the image's `/etc/passwd`.
    @Test func theLastIdIsNobodyInTheImageEither() throws {
        defer { bundle.remove() }
        try writeFile(passwd, Array("evil:x:4294967295:4294967295::/:/bin/sh\n".utf8))
        let result = try bundle.run("id -u") { $0.process?.user.name = "evil" }
        #expect(result.code != 0 && result.output.isEmpty, "\(result.output)")
        #expect(result.errors.contains("unable to find user evil"), "\(result.errors)")
    }

    /// CVE-2016-3697, CVE-2026-46680: a number is a number, whatever the image calls by that name.
    @Test func aNameThatIsANumberIsNotAName() throws {
        defer { bundle.remove() }
        try writeFile(passwd, Array("root:x:0:0::/:/bin/sh\n1000:x:0:0::/:/bin/sh\n".utf8))
        try writeFile(bundle.path + "/rootfs/etc/group", Array("2000:x:0:\n".utf8))
        for name in ["1000", "1000:2000"] {
            let result = try bundle.run("id -u; id -g") { $0.process?.user.name = name }
            #expect(result.lines.first == "1000", "\(result.output)\(result.errors)")
            if name.contains(":") { #expect(result.lines.last == "2000") }
        }
    }

    /// CVE-2026-30892: what is nearly a number is not one.
    @Test(arguments: [
        "-1", "0x0", "1000 ", " 0", "4294967296", "4294967295", "18446744073709551616", "", "0:", "0:-1", "0:0:0",
        "1e3",
    ]) func anOddUserIsRefused(text: String) throws {
        defer { bundle.remove() }
        _ = try bundle.create("sleep 1000")
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        let result = try bundle.runtime("exec", "--user", text, bundle.id, "echo", "ran")
        #expect(result.code == 255 && result.output.isEmpty, "\(result.output)")
    }

    /// CVE-2024-9676, CVE-2026-47262: an account file that is no file is not waited for, not opened, and not read for ever.
    @Test(arguments: ["fifo", "device", "directory", "huge", "loop", "outside"])
    func anAccountFileIsAPlainFile(kind: String) throws {
        defer { bundle.remove() }
        try unlink(passwd)
        switch kind {
        case "fifo": _ = try makeNodeEntry(passwd, mode: mode_t(S_IFIFO) | 0o666, at: Directory.working)
        case "device":
            _ = try makeNodeEntry(
                passwd, mode: mode_t(S_IFCHR) | 0o666, device: skiff_makedev(1, 5), at: Directory.working)
        case "directory": try makeDirectory(passwd)
        case "huge":
            let file = try open(passwd, O_WRONLY | O_CREAT, mode: 0o644)
            try check("ftruncate") { ftruncate(file.raw, 8 << 30) }
        case "loop": try makeSymlink(passwd, to: "passwd")
        default:
            try bundle.makeCanary()
            try makeSymlink(passwd, to: bundle.canaryFile)
        }
        // IN_OPEN is 0x20.
        let watch = try Inotify()
        if kind == "fifo" || kind == "device" { _ = try watch.add(passwd, Inotify.Changes(rawValue: 0x20)) }
        let result = try bundle.run("echo ran") { $0.process?.user.name = "root" }
        #expect(result.code != 0 && !result.output.contains("ran"), "\(result.output)")
        let words = [
            "huge": "file too large", "loop": "symbolic links", "outside": "unable to find user root",
        ]
        #expect(result.errors.contains(words[kind] ?? "not a regular file"), "\(result.errors)")
        #expect(try watch.events().isEmpty, "it was opened")
        #expect(bundle.leftNothing)
    }

    /// CVE-2022-4318: a line break in HOME makes no line in the image's accounts.
    @Test func aLineBreakInHomeStaysInTheEnvironment() throws {
        defer { bundle.remove() }
        let before = try readText(passwd)
        let result = try bundle.run("echo \"$HOME\"; cat /etc/passwd") {
            $0.process?.environment.append("HOME=/\nevil:x:0:0::/:/bin/sh")
        }
        #expect(result.output == "/\nevil:x:0:0::/:/bin/sh\n" + before, "\(result.errors)")
        #expect(try readText(passwd) == before)
    }

    /// CVE-2022-36109, CVE-2022-2989: the primary group is a supplementary one as well, so that what is denied to it is.
    @Test(arguments: ["1000:2000", "member"]) func aGroupsDenialHolds(user: String) throws {
        defer { bundle.remove() }
        try writeFile(passwd, Array("root:x:0:0::/:/bin/sh\nmember:x:1000:2000::/:/bin/sh\n".utf8))
        // Everybody may read it but the group.
        try writeFile(bundle.path + "/rootfs/tmp/denied", Array("secret".utf8), mode: 0o604)
        try setOwnerEntry(bundle.path + "/rootfs/tmp/denied", uid: 0, gid: 2000, at: Directory.working)
        let result = try bundle.run("cat /tmp/denied; grep Groups: /proc/self/status") {
            $0.process?.user.name = user
        }
        #expect(!result.output.contains("secret"), "\(result.output)")
        #expect(result.output.contains("Groups:\t2000"), "\(result.output)\(result.errors)")
    }
}
