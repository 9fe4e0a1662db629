public import Failures
internal import Linux
public import Logging
public import NIOPosix
public import OCI
public import Storage
internal import Synchronization

/// Every image that is here, by id, name and digest, kept in memory over the rows of `MetadataStore`.
///
/// Look-ups never touch the disk, so that `create` pays nothing for them. Every change is one transaction on disk and then
/// one change of the index, in one order, so that a crash leaves before or after. What no image reaches any more is
/// collected, not deleted here.
public final class ImageStore: Sendable {
    let content: ContentStore
    let snapshots: any Snapshotter
    let metadata: MetadataStore
    let pool: NIOThreadPool
    private let index = Mutex(ImageIndex())
    private let changes = Turns(1)
    private let collect: @Sendable () async -> Int64
    private let uses: @Sendable (Digest) async -> [ImageUse]

    private init(
        metadata: MetadataStore, content: ContentStore, snapshots: any Snapshotter, pool: NIOThreadPool,
        collect: @escaping @Sendable () async -> Int64, uses: @escaping @Sendable (Digest) async -> [ImageUse]
    ) {
        self.metadata = metadata
        self.content = content
        self.snapshots = snapshots
        self.pool = pool
        self.collect = collect
        self.uses = uses
    }

    /// Reads the rows and makes the index.
    ///
    /// An image whose documents are gone or broken is left out, and the log says so; one whose layers are gone is here, and
    /// whoever wants to use it is told (``check(_:)``).
    ///
    /// - Parameters:
    ///   - collect: run after something was deleted, to free blobs and snapshots that nothing reaches; says how many bytes.
    ///   - uses: which containers hold an image, asked before a removal.
    public static func open(
        metadata: MetadataStore, content: ContentStore, snapshots: any Snapshotter, pool: NIOThreadPool, logger: Logger,
        collect: @escaping @Sendable () async -> Int64, uses: @escaping @Sendable (Digest) async -> [ImageUse]
    ) async throws(Failure) -> ImageStore {
        let store = ImageStore(
            metadata: metadata, content: content, snapshots: snapshots, pool: pool, collect: collect, uses: uses)
        let rows = try await metadata.images.all()
        let images = try await pool.blocking { () throws(Failure) -> [Image] in
            rows.images.compactMap { row in
                do throws(Failure) {
                    let image = try Image(row: row, content: content)
                    if let broken = store.broken(image) {
                        logger.error("image is broken", metadata: ["image": "\(row.id)", "error": "\(broken)"])
                    }
                    return image
                } catch {
                    logger.error("image left out", metadata: ["image": "\(row.id)", "error": "\(error)"])
                    return nil
                }
            }
        }
        store.index.withLock { index in
            for image in images { index.insert(image) }
            for row in rows.names {
                guard let name = try? Reference(parsing: row.name), name.tag != nil, name.digest == nil else {
                    continue
                }
                index.setName(name, to: row.image, at: row.tagged)
            }
        }
        return store
    }

    // MARK: Looking up

    /// All images, newest first.
    public func list() -> [Image] {
        index.withLock { Array($0.images.values) }.sorted {
            ($0.created, $0.arrived, $0.id) > ($1.created, $1.arrived, $1.id)
        }
    }

    /// Finds an image by id (`sha256:…`, 64 digits or a unique beginning), or by `name[:tag][@digest]`.
    ///
    /// - Throws: `notFound` with Docker's `No such image: <ref>`; `invalid` for what can be neither.
    public func resolve(_ reference: String) throws(Failure) -> Image { try find(reference).image }

    func find(_ reference: String) throws(Failure) -> (image: Image, match: ImageIndex.Match) {
        let result = index.withLock { index -> Result<(Image, ImageIndex.Match), Failure> in
            do throws(Failure) { return .success(try index.find(reference)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// The image of this id.
    public func image(_ id: Digest) -> Image? { index.withLock { $0.images[id] } }

    /// The image a tagged name points at.
    public func image(named name: Reference) -> Image? { index.withLock { $0.image(named: name.withDefaultTag) } }

    /// The image a digest stands for: its own id, or what a registry calls it.
    func image(digest: Digest) -> Image? { index.withLock { $0.image(digest: digest) } }

    /// The steps that made an image, newest first.
    public func history(_ reference: String) throws(Failure) -> [HistoryEntry] { try resolve(reference).history }

    /// The configuration's own bytes, as they came.
    public func configBytes(_ image: Image) async throws(Failure) -> [UInt8] {
        let content = self.content
        return try await pool.blocking { () throws(Failure) in
            try content.read(image.configDigest, limit: ImageConfig.maximumBytes)
        }
    }

    // MARK: Whole or not

    /// Makes sure that the files of an image are where its rows say.
    ///
    /// Somebody may have taken them from under the daemon, or a power cut. Blocks, for a few microseconds per layer.
    ///
    /// - Throws: `internal` with the image's name, what is gone, and how to get it again.
    public func check(_ image: Image) throws(Failure) { if let broken = broken(image) { throw broken } }

    private func broken(_ image: Image) -> Failure? {
        guard let top = image.snapshot else { return nil }
        let lost: [String]
        do throws(Failure) { lost = try snapshots.lost(below: top) } catch { lost = [top] }
        guard let layer = lost.last else { return nil }
        let name = image.names.first?.familiar ?? image.id.description
        return Failure(
            .internal,
            "image \(name) is broken: the files of its layer \(layer) are gone from the disk: pull, load or build it again"
        )
    }

    /// Whether every layer is here, unpacked and as it came: what is not is fetched again by the next pull.
    func isWhole(_ image: Image) -> Bool {
        broken(image) == nil
            && ([image.configDigest, image.id] + image.manifest.layers.map(\.digest)).allSatisfy(content.contains)
    }

    // MARK: Changing

    /// Puts a name on an image, taking it from whichever had it.
    ///
    /// `latest` where the name has no tag.
    public func tag(_ image: Image, as name: Reference) async throws(Failure) {
        guard name.digest == nil else {
            throw Failure(.invalid, "refusing to create a tag with a digest reference")
        }
        let name = name.withDefaultTag
        try await changes.run { () async throws(Failure) in
            guard self.image(image.id) != nil else { throw ImageIndex.missing(image.id.description) }
            let now = WallTime.now().total
            try await self.metadata.images.setName(ImageNameRow(name: name.description, image: image.id, tagged: now))
            self.index.withLock { $0.setName(name, to: image.id, at: now) }
        }
    }

    /// Takes a name off, and the image with its last name, by Docker's rules.
    ///
    /// - Parameter prune: accepted for Docker's sake; what nothing reaches is collected either way.
    /// - Throws: `conflict` in Docker's words when something holds it.
    public func remove(_ reference: String, force: Bool = false, prune: Bool = true) async throws(Failure) -> [Removal]
    {
        let removed = try await changes.run { () async throws(Failure) -> [Removal] in
            let (image, match) = try self.find(reference)
            let uses = await self.uses(image.id)
            let plan = try RemovalRules(image: image, uses: uses, force: force).plan(match)
            return try await self.perform(plan, on: image)
        }
        if removed.contains(where: \.isDeletion) { _ = await collect() }
        return removed
    }

    /// Deletes images no container uses: those without a name, or with `all` every one, as far as `matches` agrees.
    public func prune(
        all: Bool, where matches: @escaping @Sendable (Image) -> Bool = { _ in true }
    ) async throws(Failure) -> (removed: [Removal], reclaimed: Int64) {
        let removed = try await changes.run { () async throws(Failure) -> [Removal] in
            var removed: [Removal] = []
            for image in self.list() where (all || image.isDangling) && matches(image) {
                if await !self.uses(image.id).isEmpty { continue }
                let plan = RemovalRules.Plan(names: image.names, digests: image.repoDigests, deletes: true)
                removed += try await self.perform(plan, on: image)
            }
            return removed
        }
        return (removed, removed.isEmpty ? 0 : await collect())
    }

    func freeUnneeded() async { _ = await collect() }

    private func perform(_ plan: RemovalRules.Plan, on image: Image) async throws(Failure) -> [Removal] {
        var removed = (plan.names + plan.digests).map { Removal.untagged($0.familiar) }
        if plan.deletes {
            try await metadata.images.remove(image.id)
            index.withLock { $0.remove(image.id) }
            removed.append(.deleted(image.id))
            return removed
        }
        for name in plan.names {
            try await metadata.images.removeName(name.description)
            index.withLock { $0.removeName(name) }
        }
        if !plan.digests.isEmpty {
            var changed = image
            changed.record.repoDigests.removeAll(where: plan.digests.contains)
            try await write(changed, names: [], lease: nil)
        }
        return removed
    }

    /// Writes an image and points names at it.
    ///
    /// Its blobs and snapshots are stored.
    ///
    /// - Parameter lease: what kept them until now; it ends with the same transaction.
    func save(_ image: Image, names: [Reference], lease: String?) async throws(Failure) -> Image {
        try await changes.run { () async throws(Failure) -> Image in
            var image = image
            if let known = self.image(image.id) { image.record.merge(known.record) }
            return try await self.write(image, names: names, lease: lease)
        }
    }

    /// Names an image that a registry has under a digest; nil when it was removed meanwhile.
    func name(_ id: Digest, _ names: [Reference], pinned: Reference) async throws(Failure) -> Image? {
        try await changes.run { () async throws(Failure) -> Image? in
            guard var image = self.image(id) else { return nil }
            if names.allSatisfy(image.names.contains), image.repoDigests.contains(pinned) { return image }
            image.record.repoDigests = Set(image.repoDigests + [pinned]).sorted()
            return try await self.write(image, names: names, lease: nil)
        }
    }

    /// Changes the record of an image that is here.
    func change(_ id: Digest, _ change: @Sendable (inout ImageRecord) -> Void) async throws(Failure) {
        try await changes.run { () async throws(Failure) in
            guard var image = self.image(id) else { return }
            change(&image.record)
            try await self.write(image, names: [], lease: nil)
        }
    }

    @discardableResult
    private func write(_ image: Image, names: [Reference], lease: String?) async throws(Failure) -> Image {
        let now = WallTime.now().total
        let row = try image.record.row(image.manifest, chains: image.chainIDs, created: image.arrived)
        try await metadata.images.save(
            row, names: names.map { ImageNameRow(name: $0.description, image: image.id, tagged: now) }, releasing: lease
        )
        return index.withLock { index in
            index.insert(image)
            for name in names { index.setName(name, to: image.id, at: now) }
            return index.images[image.id] ?? image
        }
    }
}
