public import Failures
internal import Networking
internal import Storage
internal import Synchronization

/// Removes what nothing uses, one prune of a kind at a time.
public final class PruneService: Sendable {
    private enum Kind: Hashable { case containers, volumes, networks }

    private let containerService: ContainerService
    private let volumeService: VolumeService
    private let networkService: NetworkService
    private let running = Mutex<Set<Kind>>([])

    public init(containers: ContainerService, volumes: VolumeService, networks: NetworkService) {
        (containerService, volumeService, networkService) = (containers, volumes, networks)
    }

    /// Containers that do not run.
    ///
    /// - Throws: `conflict` "a prune operation is already running".
    public func containers(_ filters: Filters) async throws(Failure) -> PruneResult {
        try await alone(.containers) { () throws(Failure) in
            let until = try Self.until(filters)
            var removed: [String] = []
            var bytes: Int64 = 0
            for container in self.containerService.index.all() {
                let isWanted =
                    !container.state.isRunning && (until.map { container.created < $0 } ?? true)
                    && filters.matchesLabels(container.config.labels)
                guard isWanted else { continue }
                let service = self.containerService
                let size = try? await service.pool.blocking { () throws(Failure) -> Int64 in
                    let key = ContainerRecord.snapshotKey(container.id)
                    return service.snapshots.contains(key) ? try service.snapshots.usage(key).bytes : 0
                }
                do throws(Failure) { try await service.remove(container, force: false, withVolumes: false) } catch {
                    // Started, or removed, by somebody else meanwhile.
                    continue
                }
                removed.append(container.id)
                bytes += size ?? 0
            }
            self.containerService.events.publish(
                Event(.container, "prune", actor: "", attributes: ["reclaimed": String(bytes)]))
            return PruneResult(removed: removed, reclaimedBytes: bytes)
        }
    }

    /// Volumes no container has; anonymous ones only unless `all`.
    public func volumes(_ filters: Filters, all: Bool) async throws(Failure) -> PruneResult {
        let asked = try filters.flag("all") ?? false
        let all = all || asked
        return try await alone(.volumes) { () throws(Failure) in
            var removed: [String] = []
            var bytes: Int64 = 0
            for volume in try self.volumeService.list()
            where (all || volume.isAnonymous) && filters.matchesLabels(volume.labels) {
                guard let usage = try? await self.volumeService.usage(volume.name), usage.references == 0 else {
                    continue
                }
                do throws(Failure) { try await self.volumeService.remove(volume.name) } catch { continue }
                removed.append(volume.name)
                bytes += usage.bytes
            }
            self.containerService.events.publish(
                Event(.volume, "prune", actor: "", attributes: ["reclaimed": String(bytes)]))
            return PruneResult(removed: removed, reclaimedBytes: bytes)
        }
    }

    /// Networks no container is attached to, predefined ones excepted.
    public func networks(_ filters: Filters) async throws(Failure) -> PruneResult {
        try await alone(.networks) { () throws(Failure) in
            let until = try Self.until(filters)
            let used = Set(
                self.containerService.index.all().flatMap { container in
                    container.withLock { $0.record.networks.flatMap { [$0.networkID, $0.networkName] } }
                })
            var removed: [String] = []
            for network in self.containerService.networks.list()
            where !network.isPredefined && !used.contains(network.id) && !used.contains(network.name) {
                guard until.map({ network.created < $0.nanoseconds }) ?? true, filters.matchesLabels(network.labels)
                else { continue }
                do throws(Failure) { try await self.networkService.remove(network.id) } catch { continue }
                removed.append(network.name)
            }
            self.containerService.events.publish(Event(.network, "prune", actor: "", attributes: ["reclaimed": "0"]))
            return PruneResult(removed: removed, reclaimedBytes: 0)
        }
    }

    private func alone(_ kind: Kind, _ body: () async throws(Failure) -> PruneResult) async throws(Failure)
        -> PruneResult
    {
        guard running.withLock({ $0.insert(kind).inserted }) else {
            throw Failure(.conflict, "a prune operation is already running")
        }
        defer { running.withLock { _ = $0.remove(kind) } }
        return try await body()
    }

    /// `until`: a moment, or a Go duration counted back from now.
    public static func until(_ filters: Filters, now: Timestamp = .now) throws(Failure) -> Timestamp? {
        let values = filters["until"]
        guard let text = values.first else { return nil }
        guard values.count == 1 else { throw Failure(.invalid, "more than one until filter specified") }
        if let nanoseconds = goDuration(text) { return now.advanced(byNanoseconds: -nanoseconds) }
        guard let moment = Timestamp(parameter: text) else { throw Failure(.invalid, "invalid filter 'until=\(text)'") }
        return moment
    }

    /// `1h30m`, `10m`, `1.5s`, in nanoseconds; nil for anything that does not end in a unit.
    static func goDuration(_ text: String) -> Int64? {
        let units: [(String, Double)] = [
            ("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
        ]
        var rest = Substring(text)
        var total = 0.0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            guard !digits.isEmpty, let number = Double(String(digits)) else { return nil }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { !($0.isASCII && $0.isNumber) && $0 != "." }
            guard let unit = units.first(where: { $0.0 == name }) else { return nil }
            rest = rest.dropFirst(name.count)
            total += number * unit.1
        }
        return total < 9e18 ? Int64(total) : nil
    }
}
