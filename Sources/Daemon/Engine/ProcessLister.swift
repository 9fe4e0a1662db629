public import Failures

/// What runs in a container, read from the host's procfs: nothing of the container's is executed (CVE-2022-1227).
public final class ProcessLister: Sendable {
    init() {}
    /// - Parameter format: `ps` arguments; `-ef` (default), `aux`, or `-o name,…`.
    /// - Throws: `conflict` when it does not run.
    public func top(_ reference: String, format: [String] = []) async throws(Failure) -> ProcessTable {
        throw Failure(.notImplemented, "top")
    }
}
