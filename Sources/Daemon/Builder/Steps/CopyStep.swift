internal import CLinux
internal import Crypto
internal import DockerfileSyntax
internal import Failures
internal import Images
internal import Linux
internal import NIOCore
internal import NIOPosix
internal import OCI
internal import Storage
internal import Synchronization

/// One COPY or ADD: what it takes in, as a digest, and the layer it makes.
struct CopyStep: Sendable {
    let environment: BuildEnvironment
    let lease: BuildLease
    let operation: CopyOperation
    /// What it stands on.
    let parent: TreeState
    /// What it copies from, unless that is the context.
    let source: TreeState?
    let context: BuildContext

    /// A file that was fetched, or written in the Dockerfile.
    struct Extra: Sendable {
        var source: CopySource
        /// Unpacked where it is put.
        var isArchive: Bool
    }

    /// Everything the step takes in, found and hashed.
    struct Input: Sendable {
        var source: CopySource
        var selection: CopySelection
        var extras: [Extra]
        var digest: Digest
    }

    /// Finds what the words mean, and hashes what has no hash: nothing for a context, whose hashes came with it.
    func gather() async throws -> Input {
        let extras = try await documents() + fetched()
        let (operation, context, source) = (self.operation, self.context, self.source)
        let snapshots = environment.snapshots
        return try await environment.pool.runIfActive {
            var from: CopySource
            if let source {
                let root = try source.snapshot.map { SharedDescriptor(try snapshots.view($0)) }
                from = try CopySource(image: ImageTree(root: root), sources: operation.sources)
                try from.hashFiles()
            } else {
                from = CopySource(context: context)
            }
            let selection = try CopySelection(operation, in: from.tree) { try from.isArchive($0) }
            let explicit = operation.sources.filter { !(operation.isAdd && CopyOperation.isAddress($0)) }
            if selection.isEmpty, extras.isEmpty, operation.excludes.isEmpty, !explicit.isEmpty {
                throw Failure(.notFound, "\(operation.keyword) failed: no source files were specified")
            }
            if selection.sources.count + extras.count > 1, !operation.destination.hasSuffix("/"), !operation.parents {
                throw Failure(
                    .invalid,
                    "When using \(operation.keyword) with more than one source file, the destination must be a directory and end with a /"
                )
            }
            var digest = DefinitionDigest("copied.1")
            digest.add(selection.digest(keepsOwners: operation.fromInput && operation.owner == nil))
            for extra in extras {
                for entry in extra.source.tree.entries where entry.kind == .file {
                    digest.add(entry.path.text)
                    digest.add(number: Int64(entry.mode))
                    entry.hash.withUnsafeBytes { digest.add(bytes: $0) }
                }
            }
            return Input(source: from, selection: selection, extras: extras, digest: digest.finish())
        }
    }

    /// Makes the layer.
    ///
    /// - Returns: the layer and its chain, or `nil` when nothing was copied.
    func run(_ input: Input) async throws -> (layer: LayerDescriptor, chain: Digest)? {
        let (operation, parent) = (self.operation, self.parent)
        let snapshots = environment.snapshots
        let draft = try await environment.pool.runIfActive { try snapshots.prepareLayer(parent: parent.snapshot) }
        do {
            try await environment.pool.runIfActive {
                let below = ImageTree(root: try parent.snapshot.map { SharedDescriptor(try snapshots.view($0)) })
                let owner = try operation.owner.map { try UserNames(root: below.root?.raw ?? -1).owner($0) }
                let layer = LayerTree(
                    layer: draft.directory.raw, below: below, owner: owner,
                    mode: operation.mode.flatMap { FileMode($0) })
                try Self.fill(layer, operation, input)
            }
            try Task.checkCancellation()
            let packed = try await LayerBlob(content: environment.content, pool: environment.pool, lease: lease).store(
                draft.directory)
            guard let packed else {
                await discard(draft)
                return nil
            }
            let chain = TreeState.chain(parent.chain, packed.diffID)
            try await lease.keep(snapshot: chain.description)
            try await environment.pool.runIfActive { try draft.commit(as: chain.description) }
            return (packed, chain)
        } catch {
            await discard(draft)
            throw error
        }
    }

    private func discard(_ draft: LayerDraft) async {
        await Task { [environment] in _ = try? await environment.pool.runIfActive { draft.discard() } }.value
    }

    private static func fill(_ layer: LayerTree, _ operation: CopyOperation, _ input: Input) throws {
        let (destination, exists) = try layer.destination(TreePath(operation.destination))
        let isDirectory = exists || operation.destination.hasSuffix("/") || operation.parents
        if isDirectory { try layer.makeDirectory(destination, like: nil, onlyIfNew: true) }
        try input.source.write(input.selection, at: destination, isDirectory: isDirectory, into: layer)
        for extra in input.extras {
            for entry in extra.source.tree.entries where entry.kind == .file {
                let path = isDirectory ? destination.appending(entry.path) : destination
                if extra.isArchive {
                    try layer.makeDirectory(destination, like: nil, onlyIfNew: true)
                    try ArchiveCopy.unpack(try extra.source.stream(entry), into: layer, at: destination)
                } else {
                    try layer.make(path, like: entry) { try extra.source.copyContent(entry, to: $0) }
                }
            }
        }
        try layer.finish()
    }

    // MARK: Files that are in no tree

    private func documents() async throws -> [Extra] {
        guard !operation.documents.isEmpty else { return [] }
        let (documents, root) = (operation.documents, environment.root)
        return try await environment.pool.runIfActive {
            try documents.map { document in
                let spool = SharedDescriptor(try Self.unnamedFile(root))
                let bytes = Array(document.content.utf8)
                try writeAll(spool.raw, bytes)
                var entry = TreeEntry(path: TreePath(Array(TreePath(document.name).name)), kind: .file, mode: 0o644)
                entry.size = Int64(bytes.count)
                entry.content = .spool(offset: 0)
                entry.hash = Array(SHA256.hash(data: bytes))
                return Extra(source: try CopySource(fetched: spool, entry: entry), isArchive: false)
            }
        }
    }

    private func fetched() async throws -> [Extra] {
        var extras: [Extra] = []
        for address in operation.sources where operation.isAdd && CopyOperation.isAddress(address) {
            extras.append(try await fetch(address))
        }
        return extras
    }

    private func fetch(_ address: String) async throws -> Extra {
        guard let fetcher = environment.fetcher else {
            throw Failure(
                .notImplemented,
                "ADD failed: this daemon fetches nothing from addresses: COPY \(address) from the context")
        }
        let path = address.drop { $0 != ":" }.dropFirst(3).drop { $0 != "/" }.prefix { $0 != "?" && $0 != "#" }
        let name = path.split(separator: "/", omittingEmptySubsequences: false).last.map(String.init) ?? ""
        if name.isEmpty, operation.destination.hasSuffix("/") {
            throw Failure(
                .invalid,
                "ADD failed: cannot determine filename for source \(address): write the destination with a name")
        }
        let root = environment.root
        let pool = environment.pool
        let spool = try await pool.runIfActive { SharedDescriptor(try Self.unnamedFile(root)) }
        let progress = Locked((hash: SHA256(), size: Int64(0)))
        let file = try await fetcher.fetch(address) { piece in
            try await pool.runIfActive {
                let bytes = Array(buffer: piece)
                progress.with {
                    $0.hash.update(data: bytes)
                    $0.size += Int64(bytes.count)
                }
                try writeAll(spool.raw, bytes)
            }
        }
        let (hash, size) = progress.with { ($0.hash.finalize(), $0.size) }
        let digest = Digest(sha256: hash)
        if let wanted = operation.checksum, wanted != digest.description {
            throw Failure(.invalid, "ADD failed: digest mismatch of \(address): expected \(wanted), got \(digest)")
        }
        var entry = TreeEntry(path: TreePath(name.isEmpty ? "file" : name), kind: .file, mode: 0o600)
        entry.size = size
        entry.seconds = file.modified ?? 0
        entry.content = .spool(offset: 0)
        entry.hash = Array(hash)
        return Extra(source: try CopySource(fetched: spool, entry: entry), isArchive: operation.unpack == true)
    }

    private static func unnamedFile(_ root: String) throws(SystemError) -> OwnedDescriptor {
        let directory = try open(root, O_RDONLY | O_DIRECTORY)
        return try openUnnamedFile(at: directory.raw)
    }
}
