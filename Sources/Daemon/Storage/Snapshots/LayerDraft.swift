public import Failures
public import Linux

/// A layer that is being filled.
public final class LayerDraft: Sendable {
    /// Where the layer's changes go, with overlayfs's marks for what it removes.
    public let directory: SharedDescriptor
    private let onCommit: @Sendable (String) throws(Failure) -> Void
    private let onDiscard: @Sendable () -> Void

    init(
        directory: SharedDescriptor, onCommit: @escaping @Sendable (String) throws(Failure) -> Void,
        onDiscard: @escaping @Sendable () -> Void
    ) {
        self.directory = directory
        self.onCommit = onCommit
        self.onDiscard = onDiscard
    }

    /// Makes it a layer under the key. When somebody else was faster, theirs stays and this one goes.
    public func commit(as key: String) throws(Failure) { try onCommit(key) }

    /// Makes it a layer on `parent`, which only now must be there: layers are unpacked side by side, and in an archive
    /// before anybody knows their order.
    public func commit(as key: String, parent: String?) throws(Failure) { try onCommit(key) }

    /// Removes it.
    public func discard() { onDiscard() }
}
