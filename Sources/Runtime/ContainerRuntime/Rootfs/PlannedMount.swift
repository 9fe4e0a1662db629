internal import Linux
internal import OCI

/// One mount of a document with its options told apart: attributes of the mount, data of the file system, propagation.
struct PlannedMount: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        case bind(source: String, recursive: Bool)
        case fileSystem(type: String, source: String?)
        /// The container's cgroup, in whichever form this host has.
        case cgroup
        /// Other attributes for what is mounted there already.
        case change
    }

    /// Whose ids the owners of files are shown by.
    struct OwnerMapping: Sendable, Equatable {
        /// The mount's own; nil takes the container's user namespace's.
        var mappings: UserMappings?
        /// Whether the mounts below are mapped too.
        var recursive: Bool
    }

    var kind: Kind
    var destination: String
    var attributes: MountAttributes = []
    /// Attributes that a bind takes away from its source's.
    var cleared: MountAttributes = []
    var recursiveAttributes: MountAttributes = []
    var recursiveCleared: MountAttributes = []
    var data: [String] = []
    var propagation: Propagation?
    var recursivePropagation = false
    /// Whether the content of the directory below is copied into the new tmpfs.
    var copiesUp = false
    var ownerMapping: OwnerMapping?

    /// Whether it has to stay the peer, or the slave, of the host's mount it was copied from.
    var needsPeer: Bool { propagation == .shared || propagation == .slave }

    init(_ mount: RuntimeSpec.Mount) throws(RuntimeFailure) {
        guard mount.destination.hasPrefix("/") else {
            throw RuntimeFailure(.specification, "mount destination \"\(mount.destination)\" is not an absolute path")
        }
        // One spelling for each place, so that "/dev/" is known as /dev.
        destination = mount.destination.cleanPath
        var bind: (is: Bool, recursive: Bool) = (mount.type == "bind" || mount.type == "rbind", mount.type == "rbind")
        var isChange = false
        for option in mount.options {
            switch option {
            case "bind": bind = (true, bind.recursive)
            case "rbind": bind = (true, true)
            case "defaults", "": break
            case "remount": isChange = true
            case "idmap": ownerMapping = OwnerMapping(recursive: false)
            case "ridmap": ownerMapping = OwnerMapping(recursive: true)
            case "tmpcopyup": copiesUp = true
            default:
                if let change = Self.attributes[option] {
                    Self.apply(change, &attributes, &cleared)
                } else if option.hasPrefix("r"), let change = Self.attributes[String(option.dropFirst())] {
                    Self.apply(change, &recursiveAttributes, &recursiveCleared)
                } else if let change = Self.propagations[option] {
                    propagation = change.kind
                    recursivePropagation = change.recursive
                } else {
                    data.append(option)
                }
            }
        }
        if !mount.uidMappings.isEmpty || !mount.gidMappings.isEmpty {
            let mappings = try UserMappings(
                uid: mount.uidMappings, gid: mount.gidMappings, of: "mount \(mount.destination)")
            ownerMapping = OwnerMapping(mappings: mappings, recursive: ownerMapping?.recursive ?? false)
        }
        let type = mount.type ?? "none"
        if isChange {
            kind = .change
        } else if bind.is {
            guard let source = mount.source, !source.isEmpty else {
                throw RuntimeFailure(.specification, "mount \(mount.destination): a bind needs a source")
            }
            if let stray = data.first {
                throw RuntimeFailure(
                    .specification, "mount \(mount.destination): unknown option \"\(stray)\" for a bind")
            }
            kind = .bind(source: source, recursive: bind.recursive)
        } else if type == "cgroup" || type == "cgroup2" {
            kind = .cgroup
        } else {
            kind = .fileSystem(type: type, source: mount.source)
        }
        if ownerMapping != nil, !kind.isBind {
            throw RuntimeFailure(
                .specification, "mount \(mount.destination): owners can be mapped for a bind only, not for \(type)")
        }
        if copiesUp, type != "tmpfs" || isChange {
            throw RuntimeFailure(.specification, "mount \(mount.destination): tmpcopyup is for a tmpfs, not \(type)")
        }
        // A mount of its own has none below it: recursive is the same as not.
        if !kind.isBind, kind != .change {
            attributes.formUnion(recursiveAttributes)
            (recursiveAttributes, recursiveCleared) = ([], [])
        }
    }

    /// Whether it is a read-only tmpfs, which has to hold the places of other mounts before it is one.
    var becomesReadOnlyLate: Bool {
        guard case .fileSystem(type: "tmpfs", _) = kind else { return false }
        return attributes.contains(.readOnly)
    }

    private static func apply(
        _ change: (set: Bool, MountAttributes), _ attributes: inout MountAttributes, _ cleared: inout MountAttributes
    ) {
        if change.set {
            attributes.insert(change.1)
            cleared.remove(change.1)
        } else {
            attributes.remove(change.1)
            cleared.insert(change.1)
        }
    }

    /// The words of mount(8) for attributes of a mount; with an `r` in front they hold for the mounts below as well.
    private static let attributes: [String: (set: Bool, MountAttributes)] = [
        "ro": (true, .readOnly), "rw": (false, .readOnly),
        "nosuid": (true, .noSUID), "suid": (false, .noSUID),
        "nodev": (true, .noDevices), "dev": (false, .noDevices),
        "noexec": (true, .noExec), "exec": (false, .noExec),
        "noatime": (true, .noAccessTime), "atime": (false, .noAccessTime),
        "nodiratime": (true, .noDirectoryAccessTime), "diratime": (false, .noDirectoryAccessTime),
        "strictatime": (true, .strictAccessTime), "nostrictatime": (false, .strictAccessTime),
        "relatime": (false, .accessTimeMask), "norelatime": (false, []),
        "nosymfollow": (true, .noSymlinkFollow), "symfollow": (false, .noSymlinkFollow),
    ]

    private static let propagations: [String: (kind: Propagation, recursive: Bool)] = [
        "private": (.private, false), "rprivate": (.private, true),
        "slave": (.slave, false), "rslave": (.slave, true),
        "shared": (.shared, false), "rshared": (.shared, true),
        "unbindable": (.unbindable, false), "runbindable": (.unbindable, true),
    ]

    /// Every option that is told apart; others are the file system's own.
    static var knownOptions: [String] {
        (["bind", "rbind", "defaults", "remount", "idmap", "ridmap", "tmpcopyup"] + attributes.keys
            + attributes.keys.map { "r" + $0 }
            + propagations.keys).sorted()
    }
}

extension PlannedMount.Kind {
    var isBind: Bool { if case .bind = self { true } else { false } }
}
