internal import CLinux
internal import DockerfileSyntax
internal import Execution
internal import Linux
internal import OCI
internal import Storage
internal import Synchronization

/// The directories behind `RUN --mount=type=cache`, which outlive builds.
///
/// ```
/// <root>/cache/<sha256 of the id>/<n>    n is 0 but for `private`, which takes the first that nobody uses
/// ```
/// An id is text from a Dockerfile, so it never becomes part of a path: its digest does.
final class CacheMounts: Sendable {
    typealias Sharing = Instruction.Mount.Sharing

    private struct Use {
        var users = 0
        var isLocked = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let root: String
    /// Bytes by name, as far as they were counted since the last use.
    private let sizes = Mutex<[String: Int64]>([:])
    private let uses = Mutex<[String: Use]>([:])

    init(root: String) { self.root = root }

    /// A directory in use, to be given back.
    struct Hold: Sendable {
        let path: String
        fileprivate let key: String
        fileprivate let isLocked: Bool
    }

    /// Takes the directory for the id; waits while somebody has it locked.
    func take(_ id: String, sharing: Sharing) async -> Hold {
        var digest = DefinitionDigest("cache-mount")
        digest.add(id)
        let name = digest.finish().hex
        var number = 0
        while true {
            let key = "\(name)/\(number)"
            let isTaken = uses.withLock { uses -> Bool in
                var use = uses[key] ?? Use()
                switch sharing {
                case .shared: if use.isLocked { return false }
                case .locked: if use.isLocked || use.users > 0 { return false }
                case .private: if use.users > 0 { return false }
                }
                use.users += 1
                use.isLocked = sharing != .shared
                uses[key] = use
                return true
            }
            if isTaken { return Hold(path: "\(root)/\(key)", key: key, isLocked: sharing != .shared) }
            if sharing == .private { number += 1 } else { await wait(key) }
        }
    }

    private func wait(_ key: String) async {
        await withCheckedContinuation { continuation in
            let isFree = uses.withLock { uses -> Bool in
                guard uses[key] != nil else { return true }
                uses[key]?.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    func giveBack(_ hold: Hold) {
        let waiting = uses.withLock { uses -> [CheckedContinuation<Void, Never>] in
            guard var use = uses[hold.key] else { return [] }
            use.users -= 1
            if hold.isLocked { use.isLocked = false }
            defer { uses[hold.key] = use.users > 0 ? use : nil }
            defer { use.waiting = [] }
            return use.waiting
        }
        for continuation in waiting { continuation.resume() }
        let name = String(hold.key.prefix { $0 != "/" })
        sizes.withLock { $0[name] = nil }
        // The time of the directory is that of its last use.
        let path = "\(root)/\(name)"
        guard let directory = try? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { return }
        let now = WallTime.now().total
        try? setTimes(directory.raw, seconds: now / 1_000_000_000, nanoseconds: Int32(now % 1_000_000_000))
    }

    // MARK: What is kept

    /// What there is; blocks.
    ///
    /// Sizes are counted once after each use: a cache may hold many files.
    func records() throws -> [CacheRecord] {
        guard exists(root) else { return [] }
        let directory = try open(root, O_RDONLY | O_DIRECTORY)
        let used = Set(uses.withLock { $0.keys.map { $0.prefix { $0 != "/" } } })
        var records: [CacheRecord] = []
        for entry in try readDirectory(directory.raw) {
            let name = entry.name.text
            guard let found = try? open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, at: directory.raw) else { continue }
            let status = try status(of: found.raw)
            let time = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
            let size: Int64
            if let known = sizes.withLock({ $0[name] }) {
                size = known
            } else {
                size = try SnapshotUsage.counting(found.raw).bytes
                sizes.withLock { $0[name] = size }
            }
            records.append(
                CacheRecord(
                    id: name, kind: .mount, description: "mount / from exec", layer: nil, size: size, created: time,
                    lastUsed: time, useCount: 1, isInUse: used.contains(name[...]), isShared: false))
        }
        return records
    }

    /// Removes those that nobody uses, and says which; blocks.
    func remove(_ names: [String]) throws -> [String] {
        var removed: [String] = []
        for name in names {
            // Under a name that no step looks for, so that a step may begin meanwhile.
            let doomed = ".gone-" + RandomID.make()
            let isFree = try uses.withLock { uses in
                guard !uses.keys.contains(where: { $0.hasPrefix(name + "/") }) else { return false }
                try rename("\(root)/\(name)", to: "\(root)/\(doomed)")
                return true
            }
            guard isFree else { continue }
            sizes.withLock { $0[name] = nil }
            try removeTree("\(root)/\(doomed)")
            removed.append(name)
        }
        return removed
    }
}
