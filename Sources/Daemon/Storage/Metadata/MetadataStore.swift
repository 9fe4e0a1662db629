public import Failures

/// The one database: what there is of every noun, changed in transactions only.
///
/// Each noun has a store of its own with typed rows; nobody above sees SQL. A method is one transaction, so a crash leaves
/// what was before or what is after.
public final class MetadataStore: Sendable {
    public let images: ImageRows
    public let containers: ContainerRows
    public let networks: NetworkRows
    public let volumes: VolumeRows
    public let buildCache: BuildCacheRows
    public let leases: LeaseRows

    /// Opens the database, makes it when it is not there, and brings its schema up to date. Blocks.
    public init(path: String) throws(Failure) {
        throw Failure(.notImplemented, "metadata")
    }
    /// Waits for running transactions and closes the files.
    public func close() throws(Failure) {}
}
