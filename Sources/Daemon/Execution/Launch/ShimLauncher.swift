public import Failures
public import Logging
public import NIOPosix

/// Starts containers, each under a shim of its own, and finds them again after the daemon was away.
///
/// One spawn, one launch message and one answer per start. The daemon's share of a container is two sockets; everything
/// else lives in the shim, which goes on when the daemon does not.
public final class ShimLauncher: Sendable {
    /// - Parameters:
    ///   - shimPath: the shim program.
    ///   - execRoot: the runtime directory, `/run/skiff`; shims live in `shims/<id>/` below it.
    ///   - pool: where files are opened and processes spawned.
    public init(shimPath: String, execRoot: String, pool: NIOThreadPool, logger: Logger) throws(Failure) {
        throw Failure(.notImplemented, "execution")
    }

    /// Starts a container and returns when its program runs.
    ///
    /// Not undone by cancellation: it takes milliseconds, and the caller decides what becomes of the result.
    /// - Throws: a failure whose cause is a `StartFailure` when the container could not be made; nothing is left then.
    public func launch(_ request: LaunchRequest) async throws(Failure) -> ContainerTask {
        throw Failure(.notImplemented, "execution")
    }

    /// The container of that id if its shim is alive, whether its process still runs or has ended; nil otherwise, after
    /// what a dead shim left (directory, cgroup) was cleared away.
    public func recover(_ id: String) async -> ContainerTask? { nil }

    /// The ids of all shims that have a directory, for whoever must find those nobody knows any more.
    public func known() async -> [String] { [] }
}
