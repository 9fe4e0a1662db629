public import Failures

/// Removes what nothing uses, one prune of a kind at a time.
public final class PruneService: Sendable {
    init() {}
    /// Containers that do not run. - Throws: `conflict` "a prune operation is already running".
    public func containers(_ filters: Filters) async throws(Failure) -> PruneResult {
        throw Failure(.notImplemented, "prune")
    }
    /// Volumes no container has; anonymous ones only unless `all`.
    public func volumes(_ filters: Filters, all: Bool) async throws(Failure) -> PruneResult {
        throw Failure(.notImplemented, "prune")
    }
    /// Networks no container is attached to, predefined ones excepted.
    public func networks(_ filters: Filters) async throws(Failure) -> PruneResult {
        throw Failure(.notImplemented, "prune")
    }
}
