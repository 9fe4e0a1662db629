internal import Failures
internal import OCI

/// All snapshots in memory: what stands on what, and the mounts that follow from it.
///
/// Decides, does nothing.
struct SnapshotIndex {
    private var byKey: [String: SnapshotRow] = [:]
    private var children: [String: Int] = [:]
    private var lastNumber: Int64

    /// - Parameter number: the highest in use on disk, whether or not a row knows it.
    init(_ rows: [SnapshotRow], above number: Int64) {
        lastNumber = max(number, rows.map(\.number).max() ?? 0)
        for row in rows { add(row) }
    }

    var rows: some Sequence<SnapshotRow> { byKey.values }
    var numbers: [Int64] { byKey.values.map(\.number) }

    subscript(key: String) -> SnapshotRow? { byKey[key] }

    mutating func takeNumber() -> Int64 {
        lastNumber += 1
        return lastNumber
    }

    mutating func add(_ row: SnapshotRow) {
        guard byKey.updateValue(row, forKey: row.key) == nil, let parent = row.parent else { return }
        children[parent, default: 0] += 1
    }

    mutating func remove(_ key: String) {
        guard let row = byKey.removeValue(forKey: key), let parent = row.parent, let count = children[parent] else {
            return
        }
        children[parent] = count > 1 ? count - 1 : nil
    }

    mutating func turn(_ key: String, intoLayer layer: String) {
        guard var row = byKey[key] else { return }
        remove(key)
        row.key = layer
        row.kind = .layer
        add(row)
    }

    mutating func move(_ key: String, to number: Int64) { byKey[key]?.number = number }

    func hasChildren(_ key: String) -> Bool { children[key] != nil }

    /// Whether something may be put on the parent.
    func checkParent(_ parent: String?, deepest: Int) throws(Failure) {
        guard let parent else { return }
        guard let row = byKey[parent] else { throw Failure(.notFound, "there is no layer \(parent)") }
        guard row.kind == .layer else {
            throw Failure(.conflict, "snapshot \(parent) is still written to and cannot be built on")
        }
        guard try chain(parent).count <= deepest else { throw Failure(.invalid, "max depth exceeded") }
    }

    /// The snapshot and all below it, the top one first.
    func chain(_ key: String) throws(Failure) -> [SnapshotRow] {
        var chain: [SnapshotRow] = []
        var next: String? = key
        while let key = next {
            guard let row = byKey[key], chain.count < 500 else {
                throw Failure(.notFound, "there is no snapshot \(key)")
            }
            chain.append(row)
            next = row.parent
        }
        return chain
    }

    func mount(_ key: String, base: String) throws(Failure) -> OverlayMount {
        let chain = try chain(key)
        let directories = chain.map { "\($0.number)/fs" }
        if chain[0].kind == .writable {
            let lower = Array(directories.dropFirst())
            return OverlayMount(
                base: base, lower: lower.isEmpty ? ["empty"] : lower, upper: directories[0],
                work: "\(chain[0].number)/work")
        }
        // The kernel refuses one read-only directory alone, and shown raw its whiteouts would be visible.
        return OverlayMount(base: base, lower: directories.count == 1 ? directories + ["empty"] : directories)
    }
}
