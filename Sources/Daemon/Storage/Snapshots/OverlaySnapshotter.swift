internal import CLinux
public import Failures
public import Linux
public import OCI
internal import Synchronization

/// Snapshots as overlayfs directories.
///
/// ```
/// <root>/<number>/fs      what the snapshot changed, with overlayfs's marks
/// <root>/<number>/work    the kernel's scratch directory, of a writable one
/// <root>/empty            the lower directory of what stands on nothing
/// ```
/// The row in the database makes a directory a snapshot, so it is made last and removed first: a directory without a row
/// is a draft that a crash left, and goes at the next start. A row whose directory was lost stays: making the same layer
/// again repairs it, and with it everything that stands on it.
/// The names are numbers because a mount takes all of them in one page.
public final class OverlaySnapshotter: Snapshotter {
    /// The most layers above one another, as Docker has it; the kernel's page and its limit of 500 are farther.
    static let deepest = 127

    private let root: String
    private let rows: SnapshotRows
    private let index: Mutex<SnapshotIndex>
    private let leftovers: Mutex<[Int64]>

    /// Reads what there is.
    ///
    /// Blocks.
    ///
    /// - Parameter root: `<data-root>/snapshots`; made when it is not there.
    public init(root: String, metadata: MetadataStore) throws(Failure) {
        self.root = root
        self.rows = metadata.snapshots
        let present: Set<Int64>
        do {
            try makeDirectories("\(root)/empty", mode: 0o755)
            let directory = try Linux.open(root, O_RDONLY | O_DIRECTORY)
            present = Set(try readDirectory(directory.raw).compactMap { Int64($0.name.text) })
        } catch { throw Failure(.internal, "cannot open the snapshots at \(root): \(error)", cause: error) }
        let index = SnapshotIndex(try metadata.snapshots.all(), above: present.max() ?? 0)
        leftovers = Mutex(present.subtracting(index.numbers).sorted())
        self.index = Mutex(index)
    }

    public func prepareLayer(parent: String?) throws(Failure) -> LayerDraft {
        let number = try index.withLock { (index) throws(Failure) in
            try index.checkParent(parent, deepest: OverlaySnapshotter.deepest)
            return index.takeNumber()
        }
        try makeDirectory(number, parent: parent, isWritable: false)
        let directory: SharedDescriptor
        do { directory = SharedDescriptor(try Linux.open("\(root)/\(number)/fs", O_RDONLY | O_DIRECTORY)) } catch {
            erase(number)
            throw Failure(.internal, "cannot open a new layer: \(error)", cause: error)
        }
        return LayerDraft(
            directory: directory, parent: parent,
            onCommit: { [self] (key, final) throws(Failure) in
                do throws(Failure) {
                    if final != parent { try place(number, on: final) }
                    try add(SnapshotRow(key: key, number: number, kind: .layer, parent: final, created: secondsNow()))
                } catch {
                    erase(number)
                    // Somebody else made the same layer meanwhile: one is enough.
                    if error.kind != .conflict { throw error }
                }
            }, onDiscard: { [self] in erase(number) })
    }

    public func createWritable(_ key: String, parent: String?) throws(Failure) {
        let number = try index.withLock { (index) throws(Failure) in
            if let row = index[key], isPresent(row) {
                throw Failure(.conflict, "snapshot \(key) is there already")
            }
            try index.checkParent(parent, deepest: OverlaySnapshotter.deepest)
            return index.takeNumber()
        }
        try makeDirectory(number, parent: parent, isWritable: true)
        do throws(Failure) {
            try add(SnapshotRow(key: key, number: number, kind: .writable, parent: parent, created: secondsNow()))
        } catch {
            erase(number)
            throw error
        }
    }

    public func mounts(_ key: String) throws(Failure) -> OverlayMount {
        try index.withLock { (index) throws(Failure) in try index.mount(key, base: root) }
    }

    public func view(_ key: String) throws(Failure) -> OwnedDescriptor {
        let mount = try mounts(key)
        // What a writable snapshot changed is simply its top layer.
        let upper = mount.upper.map { [$0] } ?? []
        return try open(OverlayView(base: mount.base, lower: upper + mount.lower), key)
    }

    public func writableView(_ key: String) throws(Failure) -> OwnedDescriptor {
        let mount = try mounts(key)
        guard mount.isWritable else { throw Failure(.conflict, "snapshot \(key) is a layer and cannot be changed") }
        return try open(OverlayView(base: mount.base, lower: mount.lower, upper: mount.upper, work: mount.work), key)
    }

    public func commitWritable(_ key: String, as layer: String) throws(Failure) {
        let row = try row(key)
        guard row.kind == .writable else { throw Failure(.conflict, "snapshot \(key) is a layer already") }
        if contains(layer) { return try remove(key) }
        do throws(Failure) { try rows.turn(key, intoLayer: layer) } catch {
            if error.kind == .conflict { return try remove(key) }
            throw error
        }
        index.withLock { $0.turn(key, intoLayer: layer) }
        try? removeTree("\(root)/\(row.number)/work")
    }

    public func diffDirectory(_ key: String) throws(Failure) -> OwnedDescriptor {
        let row = try row(key)
        do { return try Linux.open("\(root)/\(row.number)/fs", O_RDONLY | O_DIRECTORY) } catch {
            if error.errno == ENOENT { throw lost(row) }
            throw Failure(.internal, "cannot open the changes of snapshot \(key): \(error)", cause: error)
        }
    }

    public func lost(below key: String) throws(Failure) -> [String] {
        let chain = try index.withLock { (index) throws(Failure) in try index.chain(key) }
        return chain.filter { !isPresent($0) }.map(\.key)
    }

    public func remove(_ key: String) throws(Failure) {
        let row = try index.withLock { (index) throws(Failure) -> SnapshotRow? in
            guard let row = index[key] else { return nil }
            guard !index.hasChildren(key) else {
                throw Failure(.conflict, "snapshot \(key) has others that stand on it")
            }
            index.remove(key)
            return row
        }
        guard let row else { return }
        do throws(Failure) { try rows.remove([key]) } catch {
            index.withLock { $0.add(row) }
            throw error
        }
        erase(row.number)
    }

    public func removeUnlessNeeded(_ key: String) throws(Failure) -> Bool {
        guard let row = index.withLock({ $0[key] }) else { return false }
        let isGone: Bool
        do throws(Failure) {
            isGone = try rows.removeUnlessNeeded(key) { index.withLock { $0.remove(key) } }
        } catch {
            // The transaction did not happen, so the snapshot is still there.
            index.withLock { $0.add(row) }
            throw error
        }
        if isGone { erase(row.number) }
        return isGone
    }

    public func removeLeftovers() throws(Failure) {
        let numbers = leftovers.withLock { numbers in
            defer { numbers = [] }
            return numbers
        }
        for number in numbers { erase(number) }
    }

    public func usage(_ key: String) throws(Failure) -> SnapshotUsage {
        let directory = try diffDirectory(key)
        do { return try DiskUsage.of(directory.raw) } catch {
            throw Failure(.internal, "cannot measure snapshot \(key): \(error)", cause: error)
        }
    }

    public func parent(_ key: String) throws(Failure) -> String? { try row(key).parent }

    public func contains(_ key: String) -> Bool { index.withLock { $0[key] }.map(isPresent) ?? false }

    public func sync() throws(Failure) {
        do {
            let directory = try Linux.open(root, O_RDONLY | O_DIRECTORY)
            try syncFileSystem(of: directory.raw)
        } catch {
            throw .onDisk("cannot bring snapshots to the disk", error, at: root)
        }
    }

    public func all() -> [SnapshotInfo] {
        index.withLock { index in
            index.rows.map { SnapshotInfo(key: $0.key, kind: $0.kind, parent: $0.parent, created: $0.created) }
        }
    }

    private func row(_ key: String) throws(Failure) -> SnapshotRow {
        guard let row = index.withLock({ $0[key] }) else { throw Failure(.notFound, "there is no snapshot \(key)") }
        return row
    }

    private func isPresent(_ row: SnapshotRow) -> Bool { exists("\(root)/\(row.number)/fs") }

    private func lost(_ row: SnapshotRow) -> Failure {
        let what = row.kind == .layer ? "layer" : "snapshot"
        return Failure(.internal, "the files of \(what) \(row.key) are gone from \(root)/\(row.number)")
    }

    /// The row last: from here on the directory is a snapshot, or is again.
    private func add(_ row: SnapshotRow) throws(Failure) {
        if contains(row.key) { throw Failure(.conflict, "snapshot \(row.key) is there already") }
        if index.withLock({ $0[row.key] }) == nil {
            try rows.insert(row)
            index.withLock { $0.add(row) }
        } else {
            try rows.move(row.key, to: row.number)
            index.withLock { $0.move(row.key, to: row.number) }
        }
    }

    /// The root of a mount has the top directory's owner and mode, so a new top takes them over from the one below.
    private func makeDirectory(_ number: Int64, parent: String?, isWritable: Bool) throws(Failure) {
        let path = "\(root)/\(number)"
        do {
            try Linux.makeDirectory(path, mode: 0o700)
            try Linux.makeDirectory("\(path)/fs", mode: 0o755)
            if isWritable { try Linux.makeDirectory("\(path)/work", mode: 0o700) }
            let fs = try Linux.open("\(path)/fs", O_RDONLY | O_DIRECTORY)
            var mode: mode_t = 0o755
            // A parent that was lost has nothing to say: what its children are, they are still.
            if let parent, let below = index.withLock({ $0[parent] }), isPresent(below) {
                let top = try status("\(root)/\(below.number)/fs")
                mode = top.permissions
                if top.st_uid != geteuid() || top.st_gid != getegid() {
                    try setOwner(fs.raw, uid: top.st_uid, gid: top.st_gid)
                }
            }
            // The process's mask must not show in what a container sees.
            try setMode(fs.raw, mode)
        } catch {
            erase(number)
            throw .onDisk("cannot make a new snapshot", error, at: root)
        }
    }

    /// Checks a parent that was not known when the draft was made, and takes over its top directory's owner and mode
    /// unless the layer had its own.
    private func place(_ number: Int64, on parent: String?) throws(Failure) {
        let below = try index.withLock { (index) throws(Failure) -> SnapshotRow? in
            try index.checkParent(parent, deepest: OverlaySnapshotter.deepest)
            return parent.flatMap { index[$0] }
        }
        guard let below else { return }
        do {
            let fs = try Linux.open("\(root)/\(number)/fs", O_RDONLY | O_DIRECTORY)
            let own = try status(of: fs.raw)
            guard own.permissions == 0o755, own.st_uid == geteuid(), own.st_gid == getegid(), isPresent(below) else {
                return
            }
            let top = try status("\(root)/\(below.number)/fs")
            if top.st_uid != own.st_uid || top.st_gid != own.st_gid {
                try setOwner(fs.raw, uid: top.st_uid, gid: top.st_gid)
            }
            if top.permissions != own.permissions { try setMode(fs.raw, top.permissions) }
        } catch {
            throw .onDisk("cannot finish a new layer", error, at: root)
        }
    }

    /// Removes a directory that is no snapshot any more; what resists goes at the next start.
    private func erase(_ number: Int64) { try? removeTree("\(root)/\(number)") }

    private func open(_ view: OverlayView, _ key: String) throws(Failure) -> OwnedDescriptor {
        do { return try view.open() } catch {
            if error.errno == ENOENT, let gone = try lost(below: key).first { throw lost(try row(gone)) }
            throw Failure(.internal, "cannot mount a view of snapshot \(key): \(error)", cause: error)
        }
    }
}

/// Seconds since 1970.
func secondsNow() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec)
}
