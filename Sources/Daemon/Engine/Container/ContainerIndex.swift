internal import Failures
public import OCI
internal import Synchronization

/// Every container in memory, by id and name.
///
/// Made first and handed to whoever must know who uses an image, a volume or a network; the container service fills it.
public final class ContainerIndex: Sendable {
    private struct State {
        var containers: [String: Container] = [:]
        /// Names to ids, also of containers that are being made.
        var names: [String: String] = [:]
    }

    private let state = Mutex(State())

    public init() {}

    /// Who uses an image: container ids, and whether each runs.
    public func users(of image: Digest) -> [(container: String, running: Bool)] {
        all().filter { $0.image == image }.map { ($0.id, $0.state.isRunning) }
    }

    /// How many containers there are, how many of them run, and how many are paused.
    public func counts() -> (all: Int, running: Int, paused: Int) {
        let states = all().map(\.state.status)
        return (states.count, states.count { $0 == .running || $0 == .restarting }, states.count { $0 == .paused })
    }

    // MARK: Look-up

    /// By full id, then by name, then by a unique prefix of an id.
    ///
    /// - Throws: `notFound` "No such container: <ref>"; `invalid` when the prefix is not unique.
    func resolve(_ reference: String) throws(Failure) -> Container {
        let found: Result<Container, Failure> = state.withLock { state in
            if let exact = state.containers[reference] { return .success(exact) }
            let name = reference.hasPrefix("/") ? String(reference.dropFirst()) : reference
            if let id = state.names[name], let named = state.containers[id] { return .success(named) }
            var match: Container?
            if !reference.isEmpty {
                for (id, container) in state.containers where id.hasPrefix(reference) {
                    if match != nil {
                        return .failure(Failure(.invalid, "multiple IDs found with provided prefix: \(reference)"))
                    }
                    match = container
                }
            }
            return match.map { .success($0) } ?? .failure(Failure(.notFound, "No such container: \(reference)"))
        }
        return try found.get()
    }

    /// Newest first.
    func all() -> [Container] {
        state.withLock { Array($0.containers.values) }.sorted { ($0.created, $0.id) > ($1.created, $1.id) }
    }

    /// Whether some container mounts the volume.
    func users(ofVolume name: String) -> [Container] {
        all().filter { container in
            container.withLock { $0.record.mounts.contains { $0.kind == .volume && $0.name == name } }
        }
    }

    // MARK: Changes

    /// Takes a name for an id.
    ///
    /// - Throws: `conflict` in Docker's words.
    func reserve(_ name: String, for id: String) throws(Failure) {
        let holder: String? = state.withLock { state in
            if let holder = state.names[name], holder != id { return holder }
            state.names[name] = id
            return nil
        }
        if let holder {
            throw Failure(
                .conflict,
                "Conflict. The container name \"/\(name)\" is already in use by container \"\(holder)\". You have to remove (or rename) that container to be able to reuse that name."
            )
        }
    }

    /// Takes a generated name for an id.
    func reserveGenerated(for id: String) -> String {
        state.withLock { state in
            var random = SystemRandomNumberGenerator()
            let name = ContainerName.generated(using: &random) { state.names[$0] != nil }
            state.names[name] = id
            return name
        }
    }

    func release(_ name: String, of id: String) {
        state.withLock { if $0.names[name] == id { $0.names[name] = nil } }
    }

    func insert(_ container: Container) {
        let name = container.name
        state.withLock { state in
            state.containers[container.id] = container
            state.names[name] = container.id
        }
    }

    func remove(_ container: Container) {
        let name = container.name
        state.withLock { state in
            state.containers[container.id] = nil
            if state.names[name] == container.id { state.names[name] = nil }
        }
    }
}
