public import Failures
public import OCI

/// Images and their names.
public struct ImageRows: Sendable {
    public func all() async throws(Failure) -> (images: [ImageRow], names: [ImageNameRow]) { ([], []) }
    /// Keeps the image, points the names at it, taking them from others, and ends the lease it was made under.
    public func save(_ image: ImageRow, names: [ImageNameRow] = [], releasing lease: String? = nil)
        async throws(Failure)
    {}
    /// Points a name at an image, taking it from another.
    public func setName(_ name: ImageNameRow) async throws(Failure) {}
    public func removeName(_ name: String) async throws(Failure) {}
    /// Forgets the image and its names.
    public func remove(_ id: Digest) async throws(Failure) {}
}
