import CLinux
import JSON
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// CRIU is missing, too old, broken, or says no: the container is as it was, and the answer says why.
///
/// A script stands in for CRIU, which works on few kernels; `CheckpointTests` has the real one.
@Suite(.serialized, .enabled(if: Bundle.canRun, "namespaces and mounts need root"))
struct CheckpointFailureTests {
    private let bundle: Bundle
    private var images: String { bundle.path + "/images" }
    private var criu: String { bundle.path + "/criu" }

    init() throws { bundle = try Bundle() }

    private static let currentVersion = "printf '\\010\\012\\020\\001\\122\\004\\010\\003\\020\\021' >&3"
    private static let failedDump = "printf '\\010\\001\\020\\000\\070\\003' >&3"
    private static let failedRestore = "printf '\\010\\002\\020\\000' >&3"

    /// A program that answers by the second byte of what it is asked: the request's type.
    private func install(
        version: String = currentVersion, dump: String = "exit 3", restore: String = "exit 3",
        features: String = "exit 3"
    ) throws {
        let script = """
            #!/bin/sh
            next() { dd bs=65536 count=1 <&3 2>/dev/null | od -An -tx1 | tr -d '\\n'; }
            [ "$1 $2" = "swrk 3" ] || exit 9
            request=$(next)
            case "$request" in
            " 08 0a"*) \(version) ;;
            " 08 01"*|" 08 04"*) \(dump) ;;
            " 08 02"*) \(restore) ;;
            " 08 09"*) \(features) ;;
            *) exit 8 ;;
            esac
            next >/dev/null
            """
        try writeFile(criu, Array(script.utf8), mode: 0o755)
    }

    private func start(_ change: (inout RuntimeSpec) -> Void = { _ in }) throws {
        _ = try bundle.create("sleep 1000", change)
        let started = try bundle.runtime("start", bundle.id)
        try #require(started.code == 0, "\(started.errors)")
    }

    private func checkpoint(_ more: String...) throws -> Bundle.Output {
        try bundle.runtime(["--criu", criu, "checkpoint", "--image-path", images] + more + [bundle.id])
    }

    /// - Parameter whole: whether the folder looks like a checkpoint.
    private func restore(whole: Bool = true, _ more: String...) throws -> Bundle.Output {
        try makeDirectories(images)
        if whole {
            try writeFile(images + "/inventory.img", [])
            try writeFile(images + "/descriptors.json", Array("[\"/dev/null\",\"pipe:[1]\",\"pipe:[1]\"]".utf8))
        }
        return try bundle.runtime(
            ["--criu", criu, "restore", "--detach", "--bundle", bundle.path, "--image-path", images] + more + [
                bundle.id
            ])
    }

    @Test func aHostWithoutCRIUSaysWhatToInstall() throws {
        defer { bundle.remove() }
        try start()
        let dumped = try checkpoint()
        #expect(dumped.code == 1)
        #expect(dumped.errors.contains("need CRIU, and \(criu) is not to be found: install the package criu"))
        #expect(try bundle.state() == "running")
        #expect(!exists(images))
        #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
        #expect(try restore().errors.contains("need CRIU"))
        #expect(bundle.leftNothing)
    }

    @Test(arguments: [
        (
            "printf '\\010\\012\\020\\001\\122\\004\\010\\003\\020\\016' >&3",
            "is CRIU 3.14.0, which is too old: 3.15.0 or newer is needed"
        ),
        ("printf '\\010\\000\\020\\000' >&3", "does not tell its version"),
        ("printf 'garbage' >&3", "criu sent a message that cannot be read"),
        ("exit 7", "criu ended before it answered (exit status 7)"),
        ("kill -9 $$", "criu ended before it answered (killed by signal 9)"),
    ])
    func aProgramThatIsNoneOrTooOldIsNamed(version: String, words: String) throws {
        defer { bundle.remove() }
        try install(version: version)
        try start()
        let dumped = try checkpoint()
        #expect(dumped.code == 1 && dumped.errors.contains(words), "\(dumped.errors)")
        #expect(try bundle.state() == "running")
        #expect(!exists(images))
    }

    @Test func whatCRIUSaidLastIsShownAndTheContainerGoesOn() throws {
        defer { bundle.remove() }
        try install(
            dump:
                "echo '(00.1) Error (criu/sk-inet.c:191): inet: Connected TCP socket' > \(images)/dump.log; \(Self.failedDump)"
        )
        try start()
        let dumped = try checkpoint()
        #expect(dumped.code == 1)
        #expect(
            dumped.errors.contains(
                "criu could not dump the container; Error (criu/sk-inet.c:191): inet: Connected TCP socket; "
                    + "all of it is in \(images)/dump.log"), "\(dumped.errors)")
        #expect(try bundle.state() == "running")
        #expect(!exists(images + "/descriptors.json"), "what is there is no checkpoint")
        #expect(try status(images).permissions == 0o700)
    }

    @Test func aCRIUThatDiesLeavesTheContainerRunning() throws {
        defer { bundle.remove() }
        let group = try Cgroup(path: "/skiff-\(bundle.id)", layout: CgroupLayout.detect())
        let freezer = try #require(group.freezer)
        let (file, word) = group.layout.isV1 ? ("freezer.state", "FROZEN") : ("cgroup.freeze", "1")
        try install(dump: "echo \(word) > \(freezer)/\(file); kill -9 $$")
        try start()
        let dumped = try checkpoint()
        #expect(dumped.code == 1 && dumped.errors.contains("killed by signal 9"), "\(dumped.errors)")
        #expect(!group.isFrozen())
        #expect(try bundle.state() == "running")
    }

    @Test func aKernelWithoutMemoryTrackingIsNamed() throws {
        defer { bundle.remove() }
        try install(features: "printf '\\010\\011\\020\\001\\102\\002\\010\\000' >&3")
        try start()
        #expect(try checkpoint("--pre-dump").errors.contains("--pre-dump: memory changes cannot be tracked"))
        #expect(try checkpoint("--lazy-pages").errors.contains("--lazy-pages: not supported by this kernel and CRIU"))
        #expect(try bundle.state() == "running")
    }

    @Test(arguments: [
        (["--parent-path", "/absolute"], "--parent-path must be relative"),
        (["--parent-path", "../none"], "invalid --parent-path"),
        (["--manage-cgroups-mode", "hard"], "--manage-cgroups-mode takes soft, full, strict or ignore"),
        (["--empty-ns", "pid"], "--empty-ns takes network"),
        (["--page-server", "nowhere"], "--page-server takes ADDRESS:PORT"),
        (["--status-fd", "77"], "descriptor 77 is not open for writing"),
        (["--status-fd", "0x1"], "--status-fd takes a number"),
    ])
    func whatCannotBeMeantIsRefusedBeforeAnythingStops(flags: [String], words: String) throws {
        defer { bundle.remove() }
        try install()
        try start()
        let dumped = try bundle.runtime(["--criu", criu, "checkpoint", "--image-path", images] + flags + [bundle.id])
        #expect(dumped.code == 1 && dumped.errors.contains(words), "\(dumped.errors)")
        #expect(try bundle.state() == "running")
    }

    @Test func onlyWhatRunsIsDumped() throws {
        defer { bundle.remove() }
        try install()
        _ = try bundle.create("sleep 1000")
        #expect(try checkpoint().errors.contains("cannot checkpoint container \(bundle.id): it is created"))
        #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
        #expect(try checkpoint().errors.contains("does not exist"))
    }

    @Test func aFailedRestoreLeavesNothing() throws {
        defer { bundle.remove() }
        try install(
            restore:
                "echo '(00.1) Error (criu/image.c:711): Img trimmed' > \(images)/restore.log; \(Self.failedRestore)")
        try bundle.write(
            command: ["sh"],
            mounts: [RuntimeSpec.Mount(destination: "/new/place", type: "bind", source: images, options: ["bind"])])
        let restored = try restore()
        #expect(restored.code == 1)
        #expect(
            restored.errors.contains("criu could not restore the container; Error (criu/image.c:711): Img trimmed"),
            "\(restored.errors)")
        #expect(bundle.leftNothing)
        #expect(try !readText("/proc/self/mountinfo").contains(bundle.id))
        #expect(exists(bundle.path + "/rootfs/new/place"), "the place for the bind is made as a start makes it")
    }

    @Test func aFolderWithoutACheckpointIsRefused() throws {
        defer { bundle.remove() }
        try install()
        try bundle.write(command: ["sh"])
        #expect(try restore(whole: false).errors.contains("--image-path holds no checkpoint"))
        try writeFile(images + "/inventory.img", [])
        try writeFile(images + "/descriptors.json", Array("[1".utf8))
        #expect(try restore(whole: false).errors.contains("descriptors.json is damaged"))
        try unlink(images + "/descriptors.json")
        try makeSymlink(images + "/descriptors.json", to: "/etc/passwd")
        #expect(try restore(whole: false).errors.contains("--image-path holds no checkpoint"))
        #expect(bundle.leftNothing)
    }

    @Test func aSourceThatIsNotThereEndsTheRestore() throws {
        defer { bundle.remove() }
        try install()
        try bundle.write(
            command: ["sh"],
            mounts: [RuntimeSpec.Mount(destination: "/d", type: "bind", source: "/no/such/place", options: ["bind"])])
        let restored = try restore()
        #expect(restored.code == 1 && restored.errors.contains("/no/such/place"), "\(restored.errors)")
        #expect(bundle.leftNothing)
    }

    @Test func hooksRunWhenTheNamespacesAreThereAndAFailureIsToldToCRIU() throws {
        defer { bundle.remove() }
        // A notification "setup-namespaces" of process 1; what comes back is kept.
        let notify = "printf '\\010\\006\\020\\001\\052\\024\\012\\020setup-namespaces\\020\\001' >&3"
        try install(restore: "\(notify); next > \(bundle.path)/reply; \(Self.failedRestore)")
        try bundle.write(command: ["sh"]) { spec in
            spec.hooks.prestart = [
                RuntimeSpec.Hook(path: "/bin/sh", arguments: ["sh", "-c", "cat > \(bundle.path)/told"])
            ]
            spec.hooks.createRuntime = [RuntimeSpec.Hook(path: "/bin/sh", arguments: ["sh", "-c", "echo no; exit 4"])]
        }
        let restored = try restore()
        #expect(
            restored.code == 1
                && restored.errors.contains("error running createRuntime hook #0: /bin/sh: exit status 4: no"))
        let state = try JSON.parse(readFile(bundle.path + "/told"))
        #expect(state["status"]?.stringValue == "creating" && state["pid"]?.intValue == 1)
        #expect(try readText(bundle.path + "/reply") == " 08 06 18 00")
        #expect(bundle.leftNothing)
    }
}
