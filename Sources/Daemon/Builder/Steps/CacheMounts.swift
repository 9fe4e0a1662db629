internal import CLinux
internal import Linux
internal import OCI
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
    }

    /// Removes every directory nobody uses; blocks.
    func prune() throws(SystemError) {
        guard uses.withLock({ $0.isEmpty }), exists(root) else { return }
        try removeTree(root)
        try makeDirectories(root, mode: 0o700)
    }
}
