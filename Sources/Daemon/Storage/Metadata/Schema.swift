internal import GRDB

/// The tables, and how they came to be.
///
/// ```
/// images            id · created · document
/// ├ image_blobs     image · digest                   what keeps a blob
/// ├ image_layers    image · position · layer         what keeps a layer
/// └ image_names     name · image · tagged
/// snapshots         key · number · kind · parent · created      directory <root>/<number>
/// containers        id · name(unique) · image · snapshot · created · document
/// networks          id · name(unique) · driver · created · document
/// └ endpoints       id · network · sandbox · address(unique in network) · document
/// volumes           name · created · document
/// build_cache       key · layer · created · last_used · use_count · size · document
/// └ build_cache_blobs  key · digest
/// leases            id · created · expires
/// └ lease_resources lease · kind · key               kind: blob, snapshot
/// ```
/// What hangs below another goes with it. Documents are JSON of the service that owns the noun: what is only shown needs no
/// column. Migrations are only ever added.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("first light") { db in
            try db.execute(
                sql: """
                    CREATE TABLE images (id TEXT PRIMARY KEY, created INTEGER NOT NULL, document TEXT NOT NULL) STRICT, WITHOUT ROWID;
                    CREATE TABLE image_blobs (
                        image TEXT NOT NULL REFERENCES images ON DELETE CASCADE, digest TEXT NOT NULL,
                        PRIMARY KEY (image, digest)) STRICT, WITHOUT ROWID;
                    CREATE INDEX image_blobs_by_digest ON image_blobs (digest);
                    CREATE TABLE image_layers (
                        image TEXT NOT NULL REFERENCES images ON DELETE CASCADE, position INTEGER NOT NULL, layer TEXT NOT NULL,
                        PRIMARY KEY (image, position)) STRICT, WITHOUT ROWID;
                    CREATE INDEX image_layers_by_layer ON image_layers (layer);
                    CREATE TABLE image_names (
                        name TEXT PRIMARY KEY, image TEXT NOT NULL REFERENCES images ON DELETE CASCADE,
                        tagged INTEGER NOT NULL) STRICT, WITHOUT ROWID;
                    CREATE INDEX image_names_by_image ON image_names (image);

                    CREATE TABLE snapshots (
                        key TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, kind TEXT NOT NULL, parent TEXT,
                        created INTEGER NOT NULL) STRICT, WITHOUT ROWID;
                    CREATE INDEX snapshots_by_parent ON snapshots (parent);

                    CREATE TABLE containers (
                        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, image TEXT, snapshot TEXT NOT NULL,
                        created INTEGER NOT NULL, document TEXT NOT NULL) STRICT, WITHOUT ROWID;
                    CREATE INDEX containers_by_snapshot ON containers (snapshot);

                    CREATE TABLE networks (
                        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, driver TEXT NOT NULL, created INTEGER NOT NULL,
                        document TEXT NOT NULL) STRICT, WITHOUT ROWID;
                    CREATE TABLE endpoints (
                        id TEXT PRIMARY KEY, network TEXT NOT NULL REFERENCES networks ON DELETE CASCADE, sandbox TEXT NOT NULL,
                        address TEXT, document TEXT NOT NULL, UNIQUE (network, address)) STRICT, WITHOUT ROWID;
                    CREATE INDEX endpoints_by_sandbox ON endpoints (sandbox);

                    CREATE TABLE volumes (name TEXT PRIMARY KEY, created INTEGER NOT NULL, document TEXT NOT NULL) STRICT, WITHOUT ROWID;

                    CREATE TABLE build_cache (
                        key TEXT PRIMARY KEY, layer TEXT, created INTEGER NOT NULL, last_used INTEGER NOT NULL,
                        use_count INTEGER NOT NULL, size INTEGER NOT NULL, document TEXT NOT NULL) STRICT, WITHOUT ROWID;
                    CREATE INDEX build_cache_by_layer ON build_cache (layer);
                    CREATE TABLE build_cache_blobs (
                        key TEXT NOT NULL REFERENCES build_cache ON DELETE CASCADE, digest TEXT NOT NULL,
                        PRIMARY KEY (key, digest)) STRICT, WITHOUT ROWID;
                    CREATE INDEX build_cache_blobs_by_digest ON build_cache_blobs (digest);

                    CREATE TABLE leases (id TEXT PRIMARY KEY, created INTEGER NOT NULL, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
                    CREATE TABLE lease_resources (
                        lease TEXT NOT NULL REFERENCES leases ON DELETE CASCADE, kind TEXT NOT NULL, key TEXT NOT NULL,
                        PRIMARY KEY (lease, kind, key)) STRICT, WITHOUT ROWID;
                    CREATE INDEX lease_resources_by_key ON lease_resources (kind, key);
                    """)
        }
        return migrator
    }
}
