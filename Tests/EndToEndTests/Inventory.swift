import CLinux
import Linux
import Testing

/// What there is of a daemon on the machine, compared with what it says there is.
///
/// Everything the daemon lists must be whole, and nothing may be there that it does not list: what a crash leaves is
/// repaired or collected by the next start.
struct Inventory: Sendable {
    let daemon: PrivateDaemon
    private var network: HostNetworkNames { HostNetworkNames(root: daemon.root) }

    /// - Parameters:
    ///   - isResumable: a transfer was cut short: what it has so far may wait for the next try.
    ///   - context: what was done, for the message of a failure.
    func check(isResumable: Bool = false, _ context: String) async throws {
        let states = try await daemon.must("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.State}}").lines
            .map { $0.split(separator: " ").map(String.init) }
        let all = Set(states.map { $0[0] })
        let running = Set(states.filter { $0[1] == "running" }.map { $0[0] })
        let volumes = Set(try await daemon.must("volume", "ls", "-q").lines)
        let images = Set(try await daemon.must("images", "-aq", "--no-trunc").lines)
        if !all.isEmpty || !images.isEmpty {
            let inspected = try await daemon.skiff(["inspect"] + all + images)
            #expect(inspected.code == 0, "\(context): \(inspected.errors)")
        }
        try await checkFolders(containers: all, volumes: volumes, isResumable: isResumable, context)
        try await checkBlobs(context)
        try await checkDatabase(context)
        try await checkHost(running: running, context)
    }

    // MARK: The data root

    /// What is removed goes behind the answer, so these are asked for until they are right.
    private func checkFolders(
        containers: Set<String>, volumes: Set<String>, isResumable: Bool, _ context: String
    ) async throws {
        let root = daemon.root
        @Sendable func wrong() throws -> [String] {
            let folders = try names(root + "/containers").subtracting(containers).map { "\($0) has no container" }
            let apart = try names(root + "/volumes").symmetricDifference(volumes).map {
                "\($0) is no volume, or not here"
            }
            let steps = try names(root + "/build/steps").map { "\($0) is left of a build" }
            let transfers = try names(root + "/content/ingest").filter { !isResumable || $0.utf8.count != 64 }
                .map { "\($0) is left of a transfer" }
            return folders + apart + steps + transfers
        }
        try await eventually("\(context): a folder for each container and volume, and no more") {
            try wrong().isEmpty
        } otherwise: {
            (try? wrong().joined(separator: "; ")) ?? ""
        }
    }

    /// Every blob is what its name says.
    private func checkBlobs(_ context: String) async throws {
        let folder = daemon.root + "/content/blobs/sha256"
        let blobs = try names(folder)
        guard !blobs.isEmpty, let program = Program.find("sha256sum") else { return }
        let sums = try await Program.run(program, blobs.sorted().map { folder + "/" + $0 })
        #expect(sums.code == 0, "\(context): \(sums.errors)")
        for line in sums.lines {
            let parts = line.split(separator: " ")
            #expect(parts.last?.hasSuffix(parts[0]) == true, "\(context): a blob is not what its name says: \(line)")
        }
    }

    /// Directories and rows of snapshots are the same, and every blob an image needs is here.
    private func checkDatabase(_ context: String) async throws {
        guard let sqlite = Program.find("sqlite3") else { return }
        let database = daemon.root + "/skiff.db"
        @Sendable func ask(_ query: String) async throws -> Set<String> {
            let answer = try await Program.run(sqlite, ["-readonly", "-cmd", ".timeout 5000", database, query])
            try #require(answer.code == 0, "sqlite3: \(answer.errors)")
            return Set(answer.lines)
        }
        // Removal goes on behind its answer.
        try await eventually("\(context): directories and rows of snapshots to be the same") {
            let rows = try await ask("SELECT number FROM snapshots")
            return try names(daemon.root + "/snapshots").subtracting(["empty"]) == rows
        }
        let blobs = Set(try names(daemon.root + "/content/blobs/sha256").map { "blob sha256:" + $0 })
        let needed = try await ask(
            """
            SELECT 'blob ' || digest FROM image_blobs
            UNION SELECT 'layer ' || layer FROM image_layers WHERE layer NOT IN (SELECT key FROM snapshots)
            UNION SELECT 'parent ' || parent FROM snapshots WHERE parent NOT IN (SELECT key FROM snapshots)
            """)
        #expect(needed.isSubset(of: blobs), "\(context): missing: \(needed.subtracting(blobs))")
    }

    // MARK: The machine

    /// Shims and links go in their own time, so these are asked for until they are right.
    private func checkHost(running: Set<String>, _ context: String) async throws {
        let mounts = try readText("/proc/self/mountinfo").split(separator: "\n").filter { $0.contains(daemon.home) }
        #expect(mounts.isEmpty, "\(context): mounts in the host's namespace: \(mounts)")
        try await eventually("\(context): one shim, cgroup and link for each running container, and no more") {
            try differences(running).isEmpty
        } otherwise: {
            (try? differences(running).joined(separator: "; ")) ?? ""
        }
    }

    private func differences(_ running: Set<String>) throws -> [String] {
        var found: [String] = []
        let shims = try names(daemon.home + "/run/shims")
        if shims != running { found.append("shims \(shims)") }
        let expected = Set(running.map { daemon.group(of: $0).split(separator: "/").last.map(String.init) })
        // On v2 there is one hierarchy, and its root is here.
        for hierarchy in try names("/sys/fs/cgroup").union(["."]) {
            let parent = "/sys/fs/cgroup/\(hierarchy)\(daemon.cgroup)"
            let groups = try names(parent).filter { isDirectory("\(parent)/\($0)") }
            if !Set(groups).isSubset(of: expected) { found.append("cgroups in \(hierarchy): \(groups)") }
        }
        let links = try network.links().filter { $0 != network.bridge }
        if links.count > running.count { found.append("links \(links)") }
        let ports = try network.publishedPorts()
        if ports > running.count { found.append("\(ports) published ports") }
        return found
    }

    private func names(_ path: String) throws -> Set<String> {
        guard let directory = try? open(path, O_RDONLY | O_DIRECTORY) else { return [] }
        return Set(try readDirectory(directory.raw).map(\.name.text))
    }

    private func isDirectory(_ path: String) -> Bool { (try? status(path).isDirectory) ?? false }
}
