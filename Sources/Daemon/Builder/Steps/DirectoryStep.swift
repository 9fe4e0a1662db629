internal import Failures
internal import Images
internal import Linux
internal import NIOPosix
internal import OCI
internal import Storage

/// WORKDIR's directory: made where the image has none, links followed inside the image.
struct DirectoryStep: Sendable {
    let environment: BuildEnvironment
    let lease: BuildLease
    let path: String
    let parent: TreeState

    /// - Returns: the layer and its chain, or `nil` when the directory is there.
    func run() async throws -> (layer: LayerDescriptor, chain: Digest)? {
        let (path, parent) = (self.path, self.parent)
        let snapshots = environment.snapshots
        let draft = try await environment.pool.runIfActive { () throws -> LayerDraft? in
            let below = ImageTree(root: try parent.snapshot.map { SharedDescriptor(try snapshots.view($0)) })
            let place = try below.resolve(TreePath(path))
            if place.isRoot { return nil }
            if let status = try below.status(place) {
                guard status.isDirectory else {
                    throw Failure(.invalid, "cannot set the working directory to \(path): it is not a directory")
                }
                return nil
            }
            let draft = try snapshots.prepareLayer(parent: parent.snapshot)
            do {
                let layer = LayerTree(layer: draft.directory.raw, below: below, owner: nil, mode: nil)
                try layer.makeDirectory(place, like: nil, onlyIfNew: true)
                try layer.finish()
                return draft
            } catch {
                draft.discard()
                throw error
            }
        }
        guard let draft else { return nil }
        do {
            let packed = try await LayerBlob(content: environment.content, pool: environment.pool, lease: lease).store(
                draft.directory)
            guard let packed else { throw Failure(.internal, "the directory \(path) was not made") }
            let chain = TreeState.chain(parent.chain, packed.diffID)
            try await lease.keep(snapshot: chain.description)
            try await environment.pool.runIfActive { try draft.commit(as: chain.description) }
            return (packed, chain)
        } catch {
            await Task { [environment] in _ = try? await environment.pool.runIfActive { draft.discard() } }.value
            throw error
        }
    }
}
