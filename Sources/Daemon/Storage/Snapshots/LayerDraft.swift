public import Failures
public import Linux
internal import Synchronization

/// A layer that is being filled.
public final class LayerDraft: Sendable {
    /// Where the layer's changes go, with overlayfs's marks for what it removes.
    public let directory: SharedDescriptor
    private let parent: String?
    private let isDone = Atomic(false)
    private let onCommit: @Sendable (_ key: String, _ parent: String?) throws(Failure) -> Void
    private let onDiscard: @Sendable () -> Void

    init(
        directory: SharedDescriptor, parent: String?,
        onCommit: @escaping @Sendable (_ key: String, _ parent: String?) throws(Failure) -> Void,
        onDiscard: @escaping @Sendable () -> Void
    ) {
        self.directory = directory
        self.parent = parent
        self.onCommit = onCommit
        self.onDiscard = onDiscard
    }

    /// Makes it a layer under the key.
    ///
    /// When somebody else was faster, theirs stays and this one goes.
    public func commit(as key: String) throws(Failure) { try commit(as: key, parent: parent) }

    /// Makes it a layer on `parent`, which only now must be there: layers are unpacked side by side, and in an archive
    /// before anybody knows their order.
    public func commit(as key: String, parent: String?) throws(Failure) {
        guard !isDone.exchange(true, ordering: .acquiringAndReleasing) else {
            throw Failure(.internal, "layer \(key) was committed after its end")
        }
        try onCommit(key, parent)
    }

    /// Removes it; nothing after a commit, so that it may be called on every way out.
    public func discard() {
        if !isDone.exchange(true, ordering: .acquiringAndReleasing) { onDiscard() }
    }
}
