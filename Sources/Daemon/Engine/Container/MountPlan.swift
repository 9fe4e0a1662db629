internal import Failures

/// Turns what a request says about mounts into one mount point per destination, or refuses it with Docker's words.
///
/// Pure: what must exist on the host is asked through `sourceExists`, volumes are named but not made.
enum MountPlan {
    /// Everything a plan is made of.
    struct Input {
        var binds: [String] = []
        var mounts: [MountRequest] = []
        /// `Config.Volumes` of request and image.
        var volumes: [String] = []
        /// Mount points of the containers named in `VolumesFrom`, in order, with the mode asked for.
        var inherited: [(points: [MountPoint], mode: String)] = []
        /// Destinations of `Tmpfs`.
        var tmpfs: [String] = []
    }

    static func points(
        _ input: Input, anonymousName: () -> String, sourceExists: (String) -> Bool
    ) throws(Failure) -> [MountPoint] {
        var points: [MountPoint] = []
        var taken: Set<String> = []

        for (inherited, mode) in input.inherited {
            let flags = try Mode(mode, raw: mode)
            for var point in inherited {
                point.writable = point.writable && !flags.readOnly
                point.isAnonymous = false
                if taken.insert(point.destination).inserted {
                    points.append(point)
                } else {
                    points.removeAll { $0.destination == point.destination }
                    points.append(point)
                }
            }
        }
        let inheritedDestinations = taken
        taken = []

        func add(_ point: MountPoint) throws(Failure) {
            guard taken.insert(point.destination).inserted else {
                throw Failure(.invalid, "Duplicate mount point: \(point.destination)")
            }
            if inheritedDestinations.contains(point.destination) {
                points.removeAll { $0.destination == point.destination }
            }
            points.append(point)
        }

        for bind in input.binds {
            var point = try parse(bind: bind)
            if point.kind == .volume, point.name.isEmpty {
                point.name = anonymousName()
                point.isAnonymous = true
            }
            try add(point)
        }
        for mount in input.mounts {
            var point = try plan(mount, sourceExists: sourceExists)
            if point.kind == .volume, point.name.isEmpty {
                point.name = anonymousName()
                point.isAnonymous = true
            }
            try add(point)
        }
        let tmpfs = Set(try input.tmpfs.map { path throws(Failure) in try destination(path, raw: path) })
        for path in tmpfs where taken.contains(path) { throw Failure(.invalid, "Duplicate mount point: \(path)") }
        for path in input.volumes {
            let path = try destination(path, raw: path)
            // Something asked for by name wins over an image's wish for any volume there.
            if taken.contains(path) || tmpfs.contains(path) || inheritedDestinations.contains(path) { continue }
            var point = MountPoint(kind: .volume, destination: path)
            point.name = anonymousName()
            point.isAnonymous = true
            point.driver = "local"
            try add(point)
        }
        return points
    }

    // MARK: -v

    /// `[source:]destination[:mode]`: an absolute source is a path on the host, another a volume's name.
    static func parse(bind raw: String) throws(Failure) -> MountPoint {
        let parts = raw.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let invalid = Failure(.invalid, "invalid volume specification: '\(raw)'")
        guard (1...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else { throw invalid }
        if parts.count == 1 {
            var point = MountPoint(kind: .volume, destination: try destination(parts[0], raw: raw))
            point.driver = "local"
            return point
        }
        if parts.count == 2, (try? Mode(parts[1], raw: raw)) != nil { throw invalid }
        let mode = try Mode(parts.count == 3 ? parts[2] : "", raw: raw)
        let target = try destination(parts[1], raw: raw)
        if parts[0].hasPrefix("/") {
            var point = MountPoint(kind: .bind, destination: target)
            point.source = clean(parts[0])
            point.createsSource = true
            point.writable = !mode.readOnly
            point.mode = parts.count == 3 ? parts[2] : ""
            point.propagation = mode.propagation.isEmpty ? "rprivate" : mode.propagation
            if mode.noCopy { throw Failure(.invalid, "invalid mode: \(parts[2])") }
            return point
        }
        guard mode.propagation.isEmpty else { throw Failure(.invalid, "invalid mode: \(parts[2])") }
        var point = MountPoint(kind: .volume, destination: target)
        point.name = try volumeName(parts[0])
        point.driver = "local"
        point.writable = !mode.readOnly
        point.copiesUp = !mode.noCopy
        point.mode = parts.count == 3 ? parts[2] : "z"
        return point
    }

    /// The third part of a `-v`: words of which each kind may come once.
    struct Mode {
        var readOnly = false
        var noCopy = false
        var propagation = ""

        init(_ text: String, raw: String) throws(Failure) {
            guard !text.isEmpty else { return }
            var seen: Set<String> = []
            for word in text.split(separator: ",", omittingEmptySubsequences: false) {
                let kind: String
                switch word {
                case "ro", "rw":
                    kind = "access"
                    readOnly = word == "ro"
                case "z", "Z": kind = "label"
                case "nocopy":
                    kind = "copy"
                    noCopy = true
                case "consistent", "cached", "delegated": kind = "consistency"
                case "shared", "rshared", "slave", "rslave", "private", "rprivate":
                    kind = "propagation"
                    propagation = String(word)
                default: throw Failure(.invalid, "invalid mode: \(text)")
                }
                guard seen.insert(kind).inserted else { throw Failure(.invalid, "invalid mode: \(text)") }
            }
        }
    }

    // MARK: --mount

    private static func plan(_ mount: MountRequest, sourceExists: (String) -> Bool) throws(Failure) -> MountPoint {
        func invalid(_ why: String) -> Failure {
            Failure(.invalid, "invalid mount config for type \"\(mount.type)\": \(why)")
        }
        guard !mount.target.isEmpty else { throw invalid("field Target must not be empty") }
        let target: String
        do { target = try destination(mount.target, raw: mount.target) } catch { throw invalid(error.message) }
        switch mount.type {
        case "bind":
            guard !mount.source.isEmpty else { throw invalid("field Source must not be empty") }
            guard mount.source.hasPrefix("/") else {
                throw invalid("invalid mount path: '\(mount.source)' mount path must be absolute")
            }
            guard mount.createMountpoint || sourceExists(mount.source) else {
                throw invalid("bind source path does not exist: \(mount.source)")
            }
            var point = MountPoint(kind: .bind, destination: target)
            point.source = clean(mount.source)
            point.createsSource = mount.createMountpoint
            point.writable = !mount.readOnly
            point.recursive = !mount.nonRecursive
            guard ["", "private", "rprivate", "shared", "rshared", "slave", "rslave"].contains(mount.propagation) else {
                throw invalid("invalid propagation mode: \(mount.propagation)")
            }
            point.propagation = mount.propagation.isEmpty ? "rprivate" : mount.propagation
            return point
        case "volume":
            var point = MountPoint(kind: .volume, destination: target)
            if !mount.source.isEmpty { point.name = try volumeName(mount.source) }
            point.driver = mount.driver.isEmpty ? "local" : mount.driver
            point.writable = !mount.readOnly
            point.copiesUp = !mount.noCopy
            point.subpath = try subpath(mount.subpath)
            if mount.source.isEmpty, !point.subpath.isEmpty {
                throw invalid("must not set Subpath when using anonymous volumes")
            }
            point.mode = "z"
            return point
        case "tmpfs":
            guard mount.source.isEmpty else { throw invalid("field Source must not be specified") }
            guard mount.tmpfsSize >= 0 else { throw invalid("size must not be negative") }
            var point = MountPoint(kind: .tmpfs, destination: target)
            point.writable = !mount.readOnly
            point.tmpfsSize = mount.tmpfsSize
            point.tmpfsMode = mount.tmpfsMode.map { $0 & 0o7777 }
            return point
        default: throw Failure(.invalid, "mount type unknown: \"\(mount.type)\"")
        }
    }

    // MARK: Parts

    /// An absolute path inside the container that is not the root itself, without `.`, `..` and doubled slashes.
    static func destination(_ path: String, raw: String) throws(Failure) -> String {
        guard path.hasPrefix("/") else {
            throw Failure(
                .invalid,
                "invalid volume specification: '\(raw)': invalid mount path: '\(path)' mount path must be absolute")
        }
        guard !path.utf8.contains(0) else { throw Failure(.invalid, "invalid mount path: it contains a zero byte") }
        let clean = clean(path)
        guard clean != "/" else {
            throw Failure(
                .invalid, "invalid volume specification: '\(raw)': invalid specification: destination can't be '/'")
        }
        return clean
    }

    static func volumeName(_ name: String) throws(Failure) -> String {
        guard name.utf8.count > 1 else {
            throw Failure(
                .invalid, "volume name is too short, names should be at least two alphanumeric characters")
        }
        guard ContainerName.isValid(name) else {
            throw Failure(
                .invalid,
                "create \(name): \"\(name)\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
            )
        }
        return name
    }

    private static func subpath(_ path: String) throws(Failure) -> String {
        guard !path.isEmpty else { return "" }
        guard !path.hasPrefix("/"), !path.split(separator: "/").contains("..") else {
            throw Failure(.invalid, "subpath must be a relative path within the volume")
        }
        // A link swapped in between check and mount would lead out of the volume: not before the mount goes by descriptor.
        throw Failure(.notImplemented, "volume subpaths are not supported yet: mount the whole volume")
    }

    /// Go's `path.Clean` of an absolute path.
    static func clean(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }
}
