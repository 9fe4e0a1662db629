import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Where an ordinary user's states are kept, and whose are trusted.
@Suite(.serialized, .enabled(if: Bundle.canRun, "becoming a user needs root"))
struct RootlessStateTests {
    private let bundle: UserBundle

    init() throws { bundle = try UserBundle() }

    @Test func aStateFolderOfSomebodyElseIsNotTrusted() throws {
        defer { bundle.remove() }
        let roots = bundle.path + "/roots"
        try makeDirectory(roots, mode: 0o755)
        for verb in [["list"], ["state", "x"], ["delete", "--force", "x"], ["run", "--bundle", bundle.path, "x"]] {
            try bundle.write("echo ran")
            let result = try bundle.asUser([bundle.path + "/program", "--root", roots] + verb)
            #expect(result.code != 0 && result.output.isEmpty)
            #expect(result.errors.contains("\(roots) belongs to user 0 and this is user 60010"), "\(result.errors)")
        }
        let theirs = bundle.path + "/theirs"
        try makeDirectory(theirs, mode: 0o700)
        try bundle.give(theirs)
        try makeSymlink(bundle.path + "/link", to: theirs)
        try bundle.give(bundle.path + "/link")
        let root = try bundle.bundle.runtime("--root", theirs, "list")
        #expect(root.errors.contains("belongs to user 60010 and this is user 0"), "\(root.errors)")
        let link = try bundle.bundle.runtime("--root", bundle.path + "/link", "list")
        #expect(link.code != 0 && link.errors.contains("is a link of user 60010's"), "\(link.errors)")
        try #require(chmod(theirs, 0o777) == 0)
        let writable = try bundle.asUser([bundle.path + "/program", "--root", theirs, "list"])
        #expect(writable.errors.contains("everybody may write in the state folder"), "\(writable.errors)")
    }

    @Test func withoutARuntimeFolderStatesAreBesideTheUsers() throws {
        defer { bundle.remove() }
        let folder = "/tmp/skiff-runtime-\(UserBundle.user)"
        try #require(!exists(folder))
        try bundle.write("true")
        let program = bundle.path + "/program"
        let script = """
            "$0" create --bundle "$1" "$2" && stat -c %a:%u \(folder) && ls \(folder) && "$0" delete "$2" && rmdir \(folder)
            """
        let result = try bundle.asUser(["sh", "-c", script, program, bundle.path, bundle.id], environment: [])
        #expect(result.lines == ["700:60010", bundle.id], "\(result.errors)")
    }
}
