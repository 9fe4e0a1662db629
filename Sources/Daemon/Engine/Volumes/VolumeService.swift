public import Failures
internal import Linux
public import Logging
public import NIOPosix
public import Storage
internal import Synchronization

/// Volumes: directories under the data root, with a row each, held in memory.
///
/// ```
/// <data-root>/volumes/<name>/_data          what containers see
/// <data-root>/volumes/<name>/filling        there while an image's files are copied into it
/// <data-root>/volumes/.gone-<name>-<hex>    a removal under way; finished at the next start
/// ```
/// A folder without a row was being made when the daemon died: it goes at the next start, provided it is empty. Nothing that
/// somebody may have written is ever removed for want of a row.
public final class VolumeService: Sendable {
    /// Docker's label on volumes that were made without a name.
    public static let anonymousLabel = "com.docker.volume.anonymous"

    private struct State {
        var volumes: [String: Volume] = [:]
        /// Volumes that a container under construction is about to use, with how many of them.
        var pins: [String: Int] = [:]
    }

    private let configuration: EngineConfiguration
    private let rows: VolumeRows
    private let index: ContainerIndex
    private let events: EventBus
    private let pool: NIOThreadPool
    private let logger: Logger
    private let state = Mutex(State())
    private let queue = SerialQueue()

    public init(
        configuration: EngineConfiguration, rows: VolumeRows, index: ContainerIndex, events: EventBus,
        pool: NIOThreadPool, logger: Logger
    ) {
        (self.configuration, self.rows, self.index, self.events) = (configuration, rows, index, events)
        (self.pool, self.logger) = (pool, logger)
    }

    /// Reads the rows and finishes removals that a crash interrupted; once, before anything else.
    public func load() async throws(Failure) {
        let rows = try await rows.all()
        let configuration = configuration
        let (kept, gone) = try await pool.blocking { () throws(Failure) -> ([Volume], [String]) in
            try describing("make the volume folder") { () throws(SystemError) in
                try makeDirectories(configuration.volumes, mode: 0o711)
            }
            var leftovers: [String] = []
            try describing("read the volume folder") { () throws(SystemError) in
                let folder = try open(configuration.volumes, O_RDONLY | O_DIRECTORY)
                let names = try readDirectory(folder.raw).map(\.name.text)
                leftovers = names.filter { $0.hasPrefix(Self.gonePrefix) }
                let known = Set(rows.map(\.name))
                for name in names where !known.contains(name) && !name.hasPrefix(".") {
                    try? unlink(configuration.mountpoint(ofVolume: name), directory: true)
                    try? unlink(configuration.directory(ofVolume: name), directory: true)
                }
            }
            var kept: [Volume] = []
            var gone: [String] = []
            for row in rows {
                let wasMoved = leftovers.contains { $0.hasPrefix(Self.gonePrefix + row.name + "-") }
                if wasMoved, !exists(configuration.directory(ofVolume: row.name)) {
                    gone.append(row.name)
                } else {
                    kept.append(try Volume(row: row, mountpoint: configuration.mountpoint(ofVolume: row.name)))
                }
            }
            for leftover in leftovers {
                try describing("remove \(leftover)") { () throws(SystemError) in
                    try removeTree(configuration.volumes + "/" + leftover)
                }
            }
            return (kept, gone)
        }
        for name in gone { try await self.rows.remove(name) }
        state.withLock { state in
            for volume in kept { state.volumes[volume.name] = volume }
        }
    }

    /// The volume of that name, made when it is not there.
    ///
    /// - Throws: `invalid` for a name that is none; `conflict` when it exists with another driver.
    public func create(_ request: VolumeRequest) async throws(Failure) -> Volume { try await make(request, pin: false) }

    /// Sorted by name.
    public func list(_ filters: Filters = Filters()) throws(Failure) -> [Volume] {
        let dangling = try filters.flag("dangling")
        return state.withLock { Array($0.volumes.values) }
            .filter { volume in
                let names = filters["name"]
                let drivers = filters["driver"]
                return (names.isEmpty || names.contains { volume.name.contains($0) })
                    && (drivers.isEmpty || drivers.contains(volume.driver)) && filters.matchesLabels(volume.labels)
                    && (dangling.map { $0 == index.users(ofVolume: volume.name).isEmpty } ?? true)
            }
            .sorted { $0.name < $1.name }
    }

    /// - Throws: `notFound` "get <name>: no such volume".
    public func inspect(_ name: String) throws(Failure) -> Volume {
        guard let volume = state.withLock({ $0.volumes[name] }) else {
            throw Failure(.notFound, "get \(name): no such volume")
        }
        return volume
    }

    /// - Throws: `conflict` while a container has it. With `force`, nothing when there is none.
    public func remove(_ name: String, force: Bool = false) async throws(Failure) {
        try await remove(name, force: force, of: nil)
    }

    /// - Parameter owner: a container that is being removed itself, and does not count.
    private func remove(_ name: String, force: Bool, of owner: Container?) async throws(Failure) {
        try await queue.run { () throws(Failure) in
            guard self.state.withLock({ $0.volumes[name] }) != nil else {
                if force { return }
                throw Failure(.notFound, "get \(name): no such volume")
            }
            let users = self.index.users(ofVolume: name).filter { $0 !== owner }
            guard users.isEmpty, self.state.withLock({ $0.pins[name] == nil }) else {
                throw Failure(
                    .conflict, "remove \(name): volume is in use - [\(users.map(\.id).joined(separator: ", "))]")
            }
            try await self.takeAway(name)
        }
    }

    /// How many containers have it and how many bytes it holds; for df and prune.
    public func usage(_ name: String) async throws(Failure) -> (references: Int, bytes: Int64) {
        let volume = try inspect(name)
        let bytes = try await pool.blocking { () throws(Failure) in
            try describing("measure volume \(name)") { () throws(SystemError) in
                let directory = try open(volume.mountpoint, O_RDONLY | O_DIRECTORY)
                return try treeSize(directory.raw)
            }
        }
        return (index.users(ofVolume: name).count, bytes)
    }

    // MARK: For containers

    /// Makes what a new container needs and keeps it from removal until `unpin`.
    ///
    /// Anonymous ones are not on record yet: their rows come with the container's, in one transaction.
    func pin(_ requests: [VolumeRequest]) async throws(Failure) -> [Volume] {
        var volumes: [Volume] = []
        for request in requests {
            do throws(Failure) { volumes.append(try await make(request, pin: true)) } catch {
                unpin(volumes.map(\.name))
                await discard(volumes.filter(\.isAnonymous).map(\.name))
                throw error
            }
        }
        return volumes
    }

    func unpin(_ names: [String]) {
        state.withLock { state in
            for name in names {
                let count = (state.pins[name] ?? 0) - 1
                state.pins[name] = count > 0 ? count : nil
            }
        }
    }

    /// Removes anonymous volumes with their container; what another container took over stays.
    func discard(_ names: [String], of owner: Container? = nil) async {
        for name in names {
            do throws(Failure) { try await remove(name, force: true, of: owner) } catch {
                if error.kind != .conflict {
                    logger.warning(
                        "a volume could not be removed", metadata: ["volume": "\(name)", "error": "\(error)"])
                }
            }
        }
    }

    // MARK: Doing

    private static let gonePrefix = ".gone-"

    private func make(_ request: VolumeRequest, pin: Bool) async throws(Failure) -> Volume {
        let isAnonymous = request.name?.isEmpty ?? true
        let name = isAnonymous ? RandomID.make() : try MountPlan.volumeName(request.name ?? "")
        guard request.driver == "local" || request.driver.isEmpty else {
            throw Failure(
                .notFound, "error looking up volume plugin \(request.driver): plugin \"\(request.driver)\" not found")
        }
        if let option = request.options.keys.sorted().first {
            throw Failure(
                .invalid, "create \(name): the local driver has no option \"\(option)\" yet; make the volume without it"
            )
        }
        return try await queue.run { () throws(Failure) in
            let found = self.state.withLock { state in
                let found = state.volumes[name]
                if found != nil, pin { state.pins[name, default: 0] += 1 }
                return found
            }
            if let found { return found }
            var labels = request.labels
            if isAnonymous { labels[Self.anonymousLabel] = "" }
            let path = self.configuration.mountpoint(ofVolume: name)
            let volume = Volume(
                name: name, driver: "local", mountpoint: path, created: .now, labels: labels, options: request.options,
                isAnonymous: isAnonymous)
            let folder = self.configuration.directory(ofVolume: name)
            try await self.pool.blocking { () throws(Failure) in
                do throws(SystemError) {
                    // What a crash left of a volume that never had a row is not this volume's content.
                    if exists(folder) { try removeTree(folder) }
                    try makeDirectory(folder, mode: 0o701)
                    try makeDirectory(path, mode: 0o755)
                } catch {
                    try? unlink(folder, directory: true)
                    throw .onDisk("cannot make volume \(name)", error, at: folder)
                }
            }
            do throws(Failure) {
                if !isAnonymous || !pin { try await self.rows.save(volume.row) }
            } catch {
                _ = try? await self.pool.blocking { () throws(Failure) in
                    try describing("remove \(folder)") { () throws(SystemError) in try removeTree(folder) }
                }
                throw error
            }
            self.state.withLock { state in
                state.volumes[name] = volume
                if pin { state.pins[name, default: 0] += 1 }
            }
            self.events.publish(Event(.volume, "create", actor: name, attributes: ["driver": "local"]))
            return volume
        }
    }

    private func takeAway(_ name: String) async throws(Failure) {
        let folder = configuration.directory(ofVolume: name)
        let gone = configuration.volumes + "/" + Self.gonePrefix + name + "-" + RandomID.make().prefix(8)
        try await pool.blocking { () throws(Failure) in
            guard exists(folder) else { return }
            try describing("remove volume \(name)") { () throws(SystemError) in try rename(folder, to: gone) }
        }
        try await rows.remove(name)
        state.withLock { $0.volumes[name] = nil }
        events.publish(Event(.volume, "destroy", actor: name, attributes: ["driver": "local"]))
        try await pool.blocking { () throws(Failure) in
            try describing("remove volume \(name)") { () throws(SystemError) in try removeTree(gone) }
        }
    }
}
