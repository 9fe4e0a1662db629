import CLinux
import Linux
import OCI
import Synchronization
import Testing

/// Exchanges two names for one another, again and again, as a process does that shares a directory with a container in the
/// making.
///
/// C function: `renameat2(RENAME_EXCHANGE)`: there is no moment at which either name is missing.
final class Exchange: Sendable {
    private let goesOn = Atomic(true)
    private let rounds = Atomic(0)

    /// Runs `body` while the two are exchanged, and does not return before that has ended.
    static func of(_ one: String, _ other: String, during body: () throws -> Void) throws {
        let exchange = Exchange()
        let ends = try Pipe().release()
        let end = OwnedDescriptor(owning: ends.read)
        let writer = ends.write
        try startThread {
            // RENAME_EXCHANGE is 2.
            while exchange.goesOn.load(ordering: .relaxed), renameat2(AT_FDCWD, one, AT_FDCWD, other, 2) == 0 {
                exchange.rounds.wrappingAdd(1, ordering: .relaxed)
            }
            _ = close(writer)
        }
        defer {
            exchange.goesOn.store(false, ordering: .relaxed)
            // The end of file, which the thread's closing makes.
            var byte: UInt8 = 0
            _ = withUnsafeMutableBytes(of: &byte) { try? read(end.raw, into: $0) }
        }
        try body()
        #expect(exchange.goesOn.load(ordering: .relaxed) && exchange.rounds.load(ordering: .relaxed) > 0)
    }
}

extension Bundle {
    /// How often a race is run.
    static let rounds = 100

    /// A directory of the host's beside the container's root, with a file that nobody else may read.
    var canary: String { path + "/canary" }
    var canaryFile: String { canary + "/file" }

    func makeCanary() throws {
        try makeDirectory(canary, mode: 0o700)
        try writeFile(canaryFile, Array("canary".utf8), mode: 0o600)
    }

    func expectCanaryUntouched(at location: SourceLocation = #_sourceLocation) throws {
        let directory = try open(canary, O_RDONLY | O_DIRECTORY)
        let names = try readDirectory(directory.raw).map(\.name.text)
        #expect(names == ["file"], "made on the host", sourceLocation: location)
        #expect(try readText(canaryFile) == "canary", sourceLocation: location)
        #expect(try status(canaryFile).permissions == 0o600, sourceLocation: location)
        #expect(try status(canary).permissions == 0o700, sourceLocation: location)
    }
}

extension Bundle.Output {
    /// The lines of a mount table in the output, each as its fields: root within the file system is [3], place is [4].
    var mounts: [[String]] { lines.map { $0.split(separator: " ").map(String.init) }.filter { $0.contains("-") } }
}

extension RuntimeSpec {
    mutating func addCapability(_ name: String) {
        process?.capabilities?.bounding.append(name)
        process?.capabilities?.effective.append(name)
        process?.capabilities?.permitted.append(name)
    }

    /// Holds whoever is to become user 4242 where it still has all of its rights: the call is told to a listener, which does
    /// not answer.
    mutating func holdUsers(at listener: String) {
        process?.noNewPrivileges = false
        var filter = RuntimeSpec.Seccomp(defaultAction: "SCMP_ACT_ALLOW")
        filter.rules = [
            .init(
                names: ["setresuid"], action: "SCMP_ACT_NOTIFY",
                arguments: [.init(index: 0, value: 4242, second: 0, comparison: "SCMP_CMP_EQ")])
        ]
        filter.listenerPath = listener
        linux.seccomp = filter
    }

    /// A user namespace whose root is the host's: what separates the two is their rights over one another alone.
    mutating func addUserNamespaceOfTheSameIds() {
        linux.namespaces.append(.init(.user))
        linux.uidMappings = [.init(container: 0, host: 0, size: 65536)]
        linux.gidMappings = linux.uidMappings
    }
}
