/// One thing the builder keeps between builds.
public struct CacheRecord: Sendable, Hashable {
    /// The words are BuildKit's, which clients filter by.
    public enum Kind: String, Sendable, Hashable {
        /// What a step made.
        case regular
        /// The directory of a `RUN --mount=type=cache`.
        case mount = "exec.cachemount"
    }

    /// Hexadecimal digits.
    public var id: String
    public var kind: Kind
    /// The instruction that made it.
    public var description: String
    /// The layer it holds; several records may hold the same.
    public var layer: String?
    /// Bytes it holds on the disk: a layer lies there packed and unpacked.
    public var size: Int64
    /// Since 1970, in nanoseconds.
    public var created: Int64
    /// Since 1970, in nanoseconds.
    public var lastUsed: Int64
    public var useCount: Int
    /// A build that runs now rests on it.
    public var isInUse: Bool
    /// An image has the layer as well: without the record it would stay all the same.
    public var isShared: Bool

    /// What a record takes besides its layer: a row and its places in the indices.
    static let overhead: Int64 = 4096

    /// What would be free without it, were it the only one of its layer.
    var weight: Int64 { Self.overhead + (isShared ? 0 : size) }
}

/// How much the builder keeps; 0 is no limit of that kind.
public struct CacheLimits: Sendable, Hashable {
    /// Bytes the cache may always have, whatever the other limits say.
    public var reserved: Int64
    /// Bytes it never has more of, once a build has ended.
    public var most: Int64
    /// Bytes of the disk that shall be free.
    public var free: Int64

    public init(reserved: Int64 = 0, most: Int64 = 0, free: Int64 = 0) {
        self.reserved = reserved
        self.most = most
        self.free = free
    }

    /// What a daemon keeps that was told nothing: a tenth of its disk, and 2 GB where that is more.
    public static func standard(disk: Int64) -> CacheLimits { CacheLimits(most: max(disk / 10, 2_000_000_000)) }

    /// Bytes that may stay of `total`, with `available` bytes of the disk free.
    func kept(of total: Int64, available: Int64) -> Int64 {
        var kept = most > 0 ? min(most, total) : reserved > 0 && free == 0 ? 0 : total
        if free > available { kept = min(kept, total - min(total, free - available)) }
        return min(max(kept, reserved), total)
    }
}

/// Which records shall go.
public struct CachePruning: Sendable, Hashable {
    /// Also what images have, and what holds no layer; otherwise what nothing but the cache holds.
    public var all = false
    /// How much may stay; `nil` keeps nothing of what is chosen.
    public var limits: CacheLimits?
    /// Only what was not used for so long, in nanoseconds.
    public var unusedFor: Int64?
    /// Beginnings of ids; empty is any, as with the others below, and of several all must hold.
    public var ids: [String] = []
    public var kinds: [String] = []
    /// Parts of descriptions.
    public var descriptions: [String] = []
    public var isInUse: Bool?
    public var isShared: Bool?

    public init() {}

    /// The records that go, the longest unused first.
    ///
    /// Pure. What was used within the same ten minutes goes the newest first: a step is worth nothing without those
    /// before it, and they were made before it.
    func choose(among records: [CacheRecord], available: Int64, now: Int64) -> [CacheRecord] {
        let candidates = records.filter { matches($0, now) }
        guard let limits else { return candidates }
        // A layer is there until the last record of it goes.
        var holders: [String: Int] = [:]
        var total: Int64 = 0
        for record in records {
            total += CacheRecord.overhead
            guard let layer = record.layer else {
                total += record.weight - CacheRecord.overhead
                continue
            }
            if holders[layer] == nil { total += record.weight - CacheRecord.overhead }
            holders[layer, default: 0] += 1
        }
        let kept = limits.kept(of: total, available: available)
        let ordered = candidates.sorted {
            let (left, right) = ($0.lastUsed / Self.moment, $1.lastUsed / Self.moment)
            return left != right ? left < right : $0.created > $1.created
        }
        var chosen: [CacheRecord] = []
        for record in ordered {
            guard total > kept else { break }
            chosen.append(record)
            total -= CacheRecord.overhead
            if let layer = record.layer {
                holders[layer, default: 1] -= 1
                if holders[layer] == 0 { total -= record.weight - CacheRecord.overhead }
            } else {
                total -= record.weight - CacheRecord.overhead
            }
        }
        return chosen
    }

    /// Uses are noted no finer than this.
    static let moment: Int64 = 600 * 1_000_000_000

    private func matches(_ record: CacheRecord, _ now: Int64) -> Bool {
        if record.isInUse { return false }
        if !all, record.isShared || record.kind == .regular && record.layer == nil { return false }
        if let unusedFor, now - record.lastUsed < unusedFor { return false }
        if let isInUse, isInUse != record.isInUse { return false }
        if let isShared, isShared != record.isShared { return false }
        return ids.allSatisfy { record.id.hasPrefix($0) } && kinds.allSatisfy { record.kind.rawValue == $0 }
            && descriptions.allSatisfy { record.description.contains($0) }
    }
}
