internal import AsyncHTTPClient
internal import Failures
internal import Linux
internal import NIOCore
internal import NIOPosix
internal import OCI
internal import Storage

/// Where blobs come from: the bytes of one, from an offset.
typealias BlobProvider = @Sendable (_ blob: Digest, _ offset: Int64) async throws(Failure) -> BlobBody

/// How often a broken download begins again, and after how long.
struct RetryPolicy: Sendable {
    var attempts: Int
    var delay: @Sendable (_ attempt: Int) -> Duration = { .seconds(min(1 << $0, 10)) }
}

/// Brings blobs into the content store: each digest once however many want it, a few at a time, going on where an
/// earlier attempt stopped.
final class BlobFetcher: Sendable {
    private let content: ContentStore
    private let pool: NIOThreadPool
    private let retry: RetryPolicy
    private let turns: Turns
    private let fetches = SharedWork<Digest, BlobTail, TransferProgress.LayerStage, Void>()
    /// Bytes that are written in one visit to the blocking pool.
    private static let blockBytes = 512 << 10

    init(content: ContentStore, pool: NIOThreadPool, parallel: Int, retry: RetryPolicy) {
        self.content = content
        self.pool = pool
        self.retry = retry
        turns = Turns(parallel)
    }

    /// Fetches a blob, or joins whoever does; `use` may read it while it grows.
    func fetch<Outcome: Sendable>(
        _ blob: Descriptor, from provider: @escaping BlobProvider,
        observe: @escaping @Sendable (TransferProgress.LayerStage) -> Void,
        use: @Sendable (_ tail: BlobTail, _ ended: Latch<Void>) async throws(Failure) -> Outcome
    ) async throws(Failure) -> Outcome {
        try await fetches.join(
            blob.digest, context: { BlobTail() }, observe: observe,
            work: { (tail, emit) async throws(Failure) in
                do throws(Failure) {
                    try await self.run(blob, provider, tail, emit)
                    tail.end(.success(()))
                } catch {
                    tail.end(.failure(error))
                    throw error
                }
            }, use: use)
    }

    /// Throws away what has come of blobs, but for those that somebody else is still fetching.
    func discard(_ blobs: [Digest]) async {
        for blob in blobs {
            await fetches.settle(blob)
            try? await pool.blocking { [content] () throws(Failure) in
                try content.ingest(key: blob.description).discard()
            }
        }
    }

    private func run(
        _ blob: Descriptor, _ provider: @escaping BlobProvider, _ tail: BlobTail,
        _ emit: @escaping @Sendable (TransferProgress.LayerStage) -> Void
    ) async throws(Failure) {
        let here = try await pool.blocking { [content] () throws(Failure) -> SharedDescriptor? in
            content.contains(blob.digest) ? SharedDescriptor(try content.open(blob.digest)) : nil
        }
        if let here {
            tail.begin(here, available: blob.size)
            emit(.downloadComplete)
            return
        }
        try await turns.run(waiting: { emit(.waiting) }) { () async throws(Failure) in
            try await self.download(blob, provider, tail, emit)
        }
    }

    private func download(
        _ blob: Descriptor, _ provider: @escaping BlobProvider, _ tail: BlobTail,
        _ emit: @escaping @Sendable (TransferProgress.LayerStage) -> Void
    ) async throws(Failure) {
        let content = self.content
        let (ingest, file) = try await pool.blocking { () throws(Failure) -> (BlobIngest, SharedDescriptor) in
            let ingest = try content.ingest(key: blob.digest.description)
            return (ingest, SharedDescriptor(try ingest.reader()))
        }
        if ingest.offset > blob.size {
            try await pool.blocking { () throws(Failure) in try ingest.restart() }
        }
        tail.begin(file, available: ingest.offset)
        let pace = ProgressPace(total: blob.size)
        var attempt = 0
        while ingest.offset < blob.size {
            let before = ingest.offset
            do throws(Failure) {
                try await receive(blob, provider, ingest, tail) {
                    if pace.allows($0) { emit(.downloading(current: $0, total: blob.size)) }
                }
                if ingest.offset < blob.size {
                    throw Failure(
                        .unavailable, "blob \(blob.digest) ended after \(ingest.offset) of \(blob.size) bytes")
                }
            } catch {
                guard error.kind == .unavailable, attempt < retry.attempts else { throw error }
                // A registry that cannot even be reached is down, not shaky.
                if before == ingest.offset, attempt > 0 || ingest.offset == 0, error.isUnreachable { throw error }
                let pause = retry.delay(attempt)
                attempt += 1
                emit(.retrying(seconds: Int(pause.components.seconds)))
                do { try await Task.sleep(for: pause) } catch { throw Failure.cancelled }
            }
        }
        emit(.verifyingChecksum)
        _ = try await pool.blocking { () throws(Failure) in try ingest.commit(expecting: blob.digest, size: blob.size) }
        emit(.downloadComplete)
    }

    /// One answer's bytes into the ingest file.
    private func receive(
        _ blob: Descriptor, _ provider: BlobProvider, _ ingest: BlobIngest, _ tail: BlobTail,
        _ progress: @Sendable (Int64) -> Void
    ) async throws(Failure) {
        let body = try await provider(blob.digest, ingest.offset)
        if body.offset != ingest.offset {
            tail.restart()
            try await pool.blocking { () throws(Failure) in try ingest.restart() }
        }
        var block: [ByteBuffer] = []
        var held = 0
        do {
            for try await buffer in body.body {
                block.append(buffer)
                held += buffer.readableBytes
                if held < BlobFetcher.blockBytes { continue }
                try await write(block, held, blob, ingest, tail)
                progress(ingest.offset)
                (block, held) = ([], 0)
            }
        } catch {
            // What came before the break is good, and counts when the download goes on.
            if held > 0, !Task.isCancelled { try await write(block, held, blob, ingest, tail) }
            throw RegistryTransport.failure(error, body.origin, hasAnswered: true)
        }
        if held > 0 {
            try await write(block, held, blob, ingest, tail)
            progress(ingest.offset)
        }
    }

    private func write(
        _ block: [ByteBuffer], _ count: Int, _ blob: Descriptor, _ ingest: BlobIngest, _ tail: BlobTail
    ) async throws(Failure) {
        try await pool.blocking { () throws(Failure) in
            guard ingest.offset + Int64(count) <= blob.size else {
                ingest.discard()
                throw Failure(.invalid, "blob \(blob.digest) is longer than the \(blob.size) bytes its manifest says")
            }
            for buffer in block {
                let result = buffer.withUnsafeReadableBytes { bytes -> Result<Void, Failure> in
                    do throws(Failure) { return .success(try ingest.write(bytes)) } catch { return .failure(error) }
                }
                if case .failure(let failure) = result, failure.isDiskFull {
                    // On a full disk nobody is served by half a layer.
                    ingest.discard()
                }
                try result.get()
            }
            tail.advance(to: ingest.offset)
        }
    }
}

extension Failure {
    /// Whether no connection came about at all.
    fileprivate var isUnreachable: Bool { message.hasPrefix("registry ") && message.contains(" cannot be reached: ") }
}
