internal import CLinux
public import Failures
internal import GRDB
internal import Linux

/// The one database: what there is of every noun, changed in transactions only.
///
/// Each noun has a store of its own with typed rows; nobody above sees SQL. A method is one transaction, so a crash leaves
/// what was before or what is after. A change goes through even when the task that asked for it is cancelled: half-made
/// things are undone by those who made them, and that needs the database.
public final class MetadataStore: Sendable {
    public let images: ImageRows
    public let containers: ContainerRows
    public let networks: NetworkRows
    public let volumes: VolumeRows
    public let buildCache: BuildCacheRows
    public let leases: LeaseRows
    let snapshots: SnapshotRows
    let references: References
    private let database: DatabaseAccess

    /// Opens the database, makes it when it is not there, and brings its schema up to date.
    ///
    /// Blocks.
    ///
    /// - Parameter path: `<data-root>/skiff.db`; its directory must be there.
    public init(path: String) throws(Failure) {
        var configuration = Configuration()
        configuration.maximumReaderCount = 2
        configuration.foreignKeysEnabled = true
        // A reader outside the daemon (a backup) may hold the file for a moment.
        configuration.busyMode = .timeout(5)
        let pool: DatabasePool
        do {
            MetadataStore.reserve(MetadataStore.spareBytes, beyondEndOf: path)
            pool = try DatabasePool(path: path, configuration: configuration)
            try Schema.migrator.migrate(pool)
            MetadataStore.reserve(MetadataStore.spareLogBytes, beyondEndOf: path + "-wal")
        } catch { throw Failure(.internal, "cannot open the database \(path): \(error)", cause: error) }
        let database = DatabaseAccess(pool: pool)
        self.database = database
        images = ImageRows(database: database)
        containers = ContainerRows(database: database)
        networks = NetworkRows(database: database)
        volumes = VolumeRows(database: database)
        buildCache = BuildCacheRows(database: database)
        leases = LeaseRows(database: database)
        snapshots = SnapshotRows(database: database)
        references = References(database: database)
    }

    /// What the database's own file may grow by on a full disk, and its write-ahead log, which is emptied into it every
    /// thousand pages of 4 KiB.
    private static let spareBytes: Int64 = 1 << 20
    private static let spareLogBytes: Int64 = 8 << 20

    /// Takes room for the file that only it can use, where the file system knows how.
    ///
    /// On a full disk the daemon can still write down what ended and what was removed: else nothing could make room again.
    ///
    /// - Parameter path: never the database's own while it is open: closing a file lets go of all locks on it.
    private static func reserve(_ bytes: Int64, beyondEndOf path: String) {
        guard let file = try? Linux.open(path, O_WRONLY), let size = try? status(of: file.raw).st_size else { return }
        try? reserveSpace(file.raw, bytes: Int64(size) + bytes)
    }

    /// Waits for running transactions and closes the files.
    ///
    /// Blocks.
    public func close() throws(Failure) {
        do { try database.pool.close() } catch {
            throw Failure(.internal, "cannot close the database: \(error)", cause: error)
        }
    }
}

/// The way to the tables: transactions whose errors are in our words.
struct DatabaseAccess: Sendable {
    let pool: DatabasePool

    /// One transaction that changes, off the cooperative pool, and not called off by the caller's end.
    func write<Value: Sendable>(
        _ doing: String, _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(Failure) -> Value {
        let pool = pool
        do { return try await Task { try await pool.write(body) }.value } catch {
            throw failure(error, doing)
        }
    }

    /// One transaction that only looks.
    func read<Value: Sendable>(
        _ doing: String, _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(Failure) -> Value {
        do { return try await pool.read(body) } catch { throw failure(error, doing) }
    }

    /// ``write(_:_:)`` for those who may block.
    func writeBlocking<Value>(_ doing: String, _ body: (Database) throws -> Value) throws(Failure) -> Value {
        do { return try pool.write(body) } catch { throw failure(error, doing) }
    }

    /// ``read(_:_:)`` for those who may block.
    func readBlocking<Value>(_ doing: String, _ body: (Database) throws -> Value) throws(Failure) -> Value {
        do { return try pool.read(body) } catch { throw failure(error, doing) }
    }

    private func failure(_ error: any Error, _ doing: String) -> Failure {
        if let failure = error as? Failure { return failure }
        if error is CancellationError { return Failure(.cancelled, "cannot \(doing): called off", cause: error) }
        guard let error = error as? DatabaseError else {
            return Failure(.internal, "cannot \(doing): \(error)", cause: error)
        }
        switch error.extendedResultCode {
        case .SQLITE_CONSTRAINT_UNIQUE, .SQLITE_CONSTRAINT_PRIMARYKEY:
            return Failure(.conflict, "cannot \(doing): already in use", cause: error)
        case .SQLITE_CONSTRAINT_FOREIGNKEY:
            return Failure(.notFound, "cannot \(doing): what it belongs to is gone", cause: error)
        default: break
        }
        if error.resultCode == .SQLITE_FULL {
            return Failure(.internal, "cannot \(doing): no space left on device", cause: error)
                .namingFullDisk(pool.path)
        }
        return Failure(.internal, "cannot \(doing): \(error.message ?? error.description)", cause: error)
    }
}

extension Database {
    /// Runs one statement that is used again and again.
    func run(_ sql: String, _ arguments: StatementArguments) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }

    /// Every row of a statement that is used again and again.
    func rows(_ sql: String, _ arguments: StatementArguments = []) throws -> [Row] {
        try Row.fetchAll(cachedStatement(sql: sql), arguments: arguments)
    }
}

/// Documents are text in the table, so that people can read them there, and bytes everywhere else.
extension [UInt8] {
    var text: String { String(decoding: self, as: UTF8.self) }

    init(document text: String) { self = Array(text.utf8) }
}
