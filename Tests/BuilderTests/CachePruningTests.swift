import Testing

@testable import Builder

/// What goes when the cache is too large, and what stays; no disk is touched.
@Suite struct CachePruningTests {
    private static let minute: Int64 = 60_000_000_000
    private static let now = 10_000 * minute
    private static let mebibyte: Int64 = 1 << 20

    /// A record last used so many minutes ago.
    private func record(
        _ id: String, layer: String? = nil, mebibytes: Int64 = 1, minutes: Int64 = 0, made: Int64 = 0,
        kind: CacheRecord.Kind = .regular, inUse: Bool = false, shared: Bool = false
    ) -> CacheRecord {
        CacheRecord(
            id: id, kind: kind, description: "RUN \(id)", layer: layer, size: mebibytes * Self.mebibyte, created: made,
            lastUsed: Self.now - minutes * Self.minute, useCount: 1, isInUse: inUse, isShared: shared)
    }

    private func chosen(_ records: [CacheRecord], _ change: (inout CachePruning) -> Void) -> [String] {
        var pruning = CachePruning.everything
        change(&pruning)
        return pruning.choose(among: records, available: 100 * Self.mebibyte, now: Self.now).map(\.id)
    }

    @Test(
        arguments: [
            (CacheLimits(most: 10), 25, 100, 10), (CacheLimits(most: 30), 25, 100, 25),
            (CacheLimits(reserved: 7), 25, 100, 7),
            (CacheLimits(reserved: 15, most: 10), 25, 100, 15), (CacheLimits(free: 50), 25, 100, 25),
            (CacheLimits(free: 110), 25, 100, 15), (CacheLimits(most: 20, free: 110), 25, 100, 15),
            (CacheLimits(reserved: 18, free: 110), 25, 100, 18), (CacheLimits(free: 500), 25, 100, 0),
        ] as [(CacheLimits, Int64, Int64, Int64)])
    func keeps(_ limits: CacheLimits, _ total: Int64, _ available: Int64, _ kept: Int64) {
        #expect(limits.kept(of: total, available: available) == kept)
    }

    @Test func theLongestUnusedGoesFirst() {
        let records = [
            record("new", layer: "n"), record("old", layer: "o", minutes: 300),
            record("older", layer: "p", minutes: 500),
        ]
        #expect(chosen(records) { $0.limits = CacheLimits(most: 5 * Self.mebibyte / 2) } == ["older"])
        #expect(chosen(records) { $0.limits = CacheLimits(most: 3 * Self.mebibyte / 2) } == ["older", "old"])
        #expect(chosen(records) { $0.limits = CacheLimits(most: 100 * Self.mebibyte) } == [])
    }

    @Test func ofOneBuildTheLastStepGoesFirst() {
        let records = [
            record("first", layer: "a", minutes: 40, made: 1), record("second", layer: "b", minutes: 40, made: 2),
        ]
        #expect(chosen(records) { $0.limits = CacheLimits(most: 3 * Self.mebibyte / 2) } == ["second"])
    }

    @Test func aLayerCountsOnceAndGoesWithItsLastRecord() {
        let records = [
            record("a", layer: "l", mebibytes: 8, minutes: 90), record("b", layer: "l", mebibytes: 8, minutes: 80),
            record("c", layer: "m", minutes: 70),
        ]
        #expect(chosen(records) { $0.limits = CacheLimits(most: 10 * Self.mebibyte) } == [])
        #expect(chosen(records) { $0.limits = CacheLimits(most: 4 * Self.mebibyte) } == ["a", "b"])
    }

    @Test func whatAnImageHasFreesNothing() {
        let records = [
            record("image", layer: "i", mebibytes: 50, minutes: 900, shared: true),
            record("own", layer: "o", mebibytes: 5),
        ]
        #expect(chosen(records) { $0.limits = CacheLimits(most: 6 * Self.mebibyte) } == [])
        #expect(chosen(records) { $0.all = false } == ["own"])
        #expect(Set(chosen(records) { _ in }) == ["image", "own"])
    }

    @Test func aRunningBuildKeepsWhatItRestsOn() {
        #expect(chosen([record("used", layer: "l", inUse: true)]) { _ in } == [])
    }

    @Test func filtersMustAllHold() {
        let records = [
            record("aa1", layer: "x", minutes: 120), record("aa2", layer: "y"), record("mount", kind: .mount),
            record("config"),
        ]
        #expect(chosen(records) { $0.ids = ["aa"] } == ["aa1", "aa2"])
        #expect(chosen(records) { $0.unusedFor = 60 * Self.minute } == ["aa1"])
        #expect(chosen(records) { $0.kinds = ["exec.cachemount"] } == ["mount"])
        #expect(chosen(records) { $0.descriptions = ["aa2"] } == ["aa2"])
        #expect(chosen(records) { $0.isShared = true } == [])
        // Steps without a layer take no room worth the name: they stay unless all shall go.
        #expect(chosen(records) { $0.all = false } == ["aa1", "aa2", "mount"])
    }

    @Test func aRecordIsUsedOrRemovedAndNeverBoth() {
        let uses = CacheUses()
        let build = uses.hold()
        #expect(build.take("a"))
        #expect(uses.claim(["a", "b"]) == ["b"])
        #expect(!build.take("b"), "it is being removed")
        uses.removed(["b"])
        #expect(build.take("b"))
        let other = uses.hold()
        #expect(other.take("a"))
        build.release()
        #expect(uses.all == ["a"])
        other.release()
        #expect(uses.claim(["a"]) == ["a"])
    }
}

extension CachePruning {
    /// All there is.
    static var everything: CachePruning {
        var pruning = CachePruning()
        pruning.all = true
        return pruning
    }
}
