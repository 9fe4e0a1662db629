internal import Failures
public import NIOCore

/// Builds images from Dockerfiles.
public final class BuildService: Sendable {
    /// Builds what `request` asks for out of `context`.
    ///
    /// - Parameters:
    ///   - context: a tar, plain or compressed; may be empty when the request carries the Dockerfile's text. It is read
    ///     to its end before the first step.
    ///   - output: called in order, never at the same time from two places.
    /// - Throws: `Failure` (`invalid` for the Dockerfile, `notFound` for images and files), or `StepFailure` when a RUN
    ///   step's command fails. Nothing half-made stays.
    public func build<Context: AsyncSequence & Sendable>(
        _ request: BuildRequest, context: Context, output: @escaping @Sendable (BuildEvent) -> Void
    ) async throws -> BuildResult where Context.Element == ByteBuffer {
        throw Failure(.notImplemented, "building is on its way")
    }

    /// Removes what the build cache holds, or only what no image uses.
    ///
    /// - Returns: the ids of the records removed, and the bytes set free.
    public func prune(all: Bool) async throws -> (removed: [String], reclaimed: Int64) {
        throw Failure(.notImplemented, "pruning is on its way")
    }
}
