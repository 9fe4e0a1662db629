public import Failures
internal import Images
internal import Storage

/// How much room a container takes on disk, in bytes.
public struct ContainerSize: Sendable, Hashable {
    /// What it wrote over its image.
    public let written: Int64
    /// That and the image below it, which other containers may share.
    public let whole: Int64
}

extension ContainerService {
    /// Measures containers by walking what they wrote; a layer that several of them share is walked once.
    ///
    /// - Returns: by container id; one that went meanwhile is left out.
    public func sizes(of containers: [ContainerSnapshot]) async throws(Failure) -> [String: ContainerSize] {
        let layers = Dictionary(
            containers.map { ($0.id, images.image($0.image)?.snapshot) }, uniquingKeysWith: { first, _ in first })
        let snapshots = snapshots
        return try await pool.blocking { () throws(Failure) -> [String: ContainerSize] in
            var known: [String: Int64] = [:]
            func bytes(_ key: String) -> Int64 {
                if let bytes = known[key] { return bytes }
                let bytes = (try? snapshots.usage(key).bytes) ?? 0
                known[key] = bytes
                return bytes
            }
            return layers.reduce(into: [:]) { sizes, entry in
                let writable = ContainerRecord.snapshotKey(entry.key)
                // A container that never ran has written nothing.
                let written = snapshots.contains(writable) ? bytes(writable) : 0
                var below: Int64 = 0
                var key = entry.value
                while let layer = key, snapshots.contains(layer) {
                    below += bytes(layer)
                    key = try? snapshots.parent(layer)
                }
                sizes[entry.key] = ContainerSize(written: written, whole: written + below)
            }
        }
    }
}
