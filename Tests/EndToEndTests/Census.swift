import CLinux
import CNFTables
import Linux

/// Everything of a daemon and its containers that can be counted on its host, as names, so that what is left has one.
///
/// For a daemon whose network is its own: then all links, routes and rules there are its.
struct Census: Sendable, Equatable, CustomStringConvertible {
    var links: Set<String> = []
    var routes: Set<String> = []
    var rules: [String] = []
    var mounts: Set<String> = []
    var groups: Set<String> = []
    var processes: Set<String> = []
    var files: Set<String> = []
    /// Descriptors that the daemon has open for network namespaces and processes, by kind.
    var descriptors: [String: Int] = [:]

    init(_ daemon: PrivateDaemon) throws {
        if let network = daemon.network {
            (links, routes, rules) = try NetworkNamespace.run(in: network.raw) { () throws(SystemError) in
                (
                    Self.names(try readText("/proc/thread-self/net/dev"), before: ":"),
                    Set(try readText("/proc/thread-self/net/route").split(separator: "\n").map(String.init)),
                    Self.ruleset()
                )
            }
        }
        let table = try readText("/proc/self/mountinfo").split(separator: "\n")
        mounts = Set(table.filter { $0.contains(daemon.home) }.map(String.init))
        for hierarchy in try names(in: "/sys/fs/cgroup") {
            let parent = "/sys/fs/cgroup/\(hierarchy)\(daemon.cgroup)"
            for name in (try? names(in: parent)) ?? [] where (try? status("\(parent)/\(name)"))?.isDirectory == true {
                groups.insert("\(hierarchy)/\(name)")
            }
        }
        for pid in try names(in: "/proc") where pid.allSatisfy(\.isNumber) && pid != String(daemon.pid) {
            let command = ((try? readText("/proc/\(pid)/cmdline")) ?? "").replacing("\0", with: " ")
            let isInside = ((try? readText("/proc/\(pid)/cgroup")) ?? "").contains(daemon.cgroup + "/")
            if isInside || command.contains(daemon.home) { processes.insert("\(pid) \(command)") }
        }
        for folder in [daemon.root, daemon.home + "/run"] { try list(folder, depth: 3) }
        files = files.filter { !$0.contains("skiff.db") }
        for entry in (try? names(in: "/proc/\(daemon.pid)/fd")) ?? [] {
            let target = (try? readLink("/proc/\(daemon.pid)/fd/\(entry)")) ?? ""
            for kind in ["net:", "pidfd"] where target.contains(kind) { descriptors[kind, default: 0] += 1 }
        }
    }

    private func names(in folder: String) throws -> [String] {
        let directory = try open(folder, O_RDONLY | O_DIRECTORY)
        return try readDirectory(directory.raw).map(\.name.text).filter { $0 != "." && $0 != ".." }
    }

    /// The names down to a depth: what is inside of layers is the layers' own matter.
    private mutating func list(_ folder: String, depth: Int) throws {
        for name in (try? names(in: folder)) ?? [] {
            let path = "\(folder)/\(name)"
            files.insert(path)
            if depth > 1, (try? status(path))?.isDirectory == true { try list(path, depth: depth - 1) }
        }
    }

    private static func names(_ table: String, before separator: Character) -> Set<String> {
        Set(
            table.split(separator: "\n").filter { $0.contains(separator) }
                .map { String($0.prefix { $0 != separator }.drop { $0 == " " }) })
    }

    /// All tables of the packet filter in the calling thread's namespace, without their counters.
    private static func ruleset() -> [String] {
        guard let context = nft_ctx_new(UInt32(NFT_CTX_DEFAULT)) else { return ["no nf_tables"] }
        defer { nft_ctx_free(context) }
        nft_ctx_buffer_output(context)
        nft_ctx_buffer_error(context)
        nft_ctx_output_set_flags(context, UInt32(NFT_CTX_OUTPUT_STATELESS))
        guard nft_run_cmd_from_buffer(context, "list ruleset") == 0 else { return ["the rules cannot be read"] }
        let text = nft_ctx_get_output_buffer(context).map { String(cString: $0) } ?? ""
        return text.split(separator: "\n").map { String($0.drop { $0 == "\t" || $0 == " " }) }
    }

    /// How many of each.
    var counts: [Int] {
        [links.count, routes.count, rules.count, mounts.count, groups.count, processes.count, files.count]
    }

    var description: String {
        "\(links.count) links, \(routes.count) routes, \(rules.count) lines of rules, \(mounts.count) mounts, "
            + "\(groups.count) cgroups, \(processes.count) processes, \(files.count) files, descriptors \(descriptors)"
    }

    /// What is here and was not there.
    func added(to other: Census) -> [String] {
        links.subtracting(other.links).sorted() + routes.subtracting(other.routes).sorted()
            + rules.filter { !other.rules.contains($0) } + mounts.subtracting(other.mounts).sorted()
            + groups.subtracting(other.groups).sorted() + processes.subtracting(other.processes).sorted()
            + files.subtracting(other.files).sorted()
    }
}
