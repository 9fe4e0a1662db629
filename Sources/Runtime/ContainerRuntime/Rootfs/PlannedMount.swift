internal import Linux
public import OCI

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
    /// Attributes that are asked to be off.
    var cleared: MountAttributes = []
    /// Whether any attribute is named: a bind then has these, and not its source's.
    var namesAttributes = false
    var recursiveAttributes: MountAttributes = []
    var recursiveCleared: MountAttributes = []
    var data: [String] = []
    /// Options that a bind cannot take.
    var unusedOptions: [String] = []
    var propagation: Propagation?
    var recursivePropagation = false
    /// Whether the content of the directory below is copied into the new tmpfs.
    var copiesUp = false
    var ownerMapping: OwnerMapping?

    /// Whether it is a bind of the host's groups, of which one may be the container's own.
    var isOfGroups: Bool {
        guard case .bind(let source, _) = kind else { return false }
        return source.hasPrefix("/sys/fs/cgroup")
    }

    /// Whether it has to stay the peer, or the slave, of the host's mount it was copied from.
    var needsPeer: Bool { propagation == .shared || propagation == .slave }

    init(_ mount: RuntimeSpec.Mount) throws(RuntimeFailure) {
        guard !mount.destination.isEmpty else { throw RuntimeFailure(.specification, "a mount without a destination") }
        // config.md, "Mounts": what old documents say without the first slash is meant from the root. One spelling for each
        // place, so that "/dev/" is known as /dev.
        let asked = mount.destination.hasPrefix("/") ? mount.destination : "/" + mount.destination
        destination = asked.cleanPath
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
                if let change = Self.attribute(option) {
                    namesAttributes = true
                    Self.apply(change, &attributes, &cleared)
                } else if option.hasPrefix("r"), let change = Self.attribute(String(option.dropFirst())) {
                    Self.apply(change, &recursiveAttributes, &recursiveCleared)
                } else if let change = Self.propagation(option) {
                    propagation = change.kind
                    recursivePropagation = change.recursive
                } else {
                    data.append(option)
                }
            }
        }
        // One choice of several cannot be taken back alone: as with mount(8), nothing is chosen then. For mounts below there
        // is no such custom, and the kernel's own choice stands in.
        if !cleared.isSuperset(of: .accessTimeMask) { cleared.subtract(.accessTimeMask) }
        if !recursiveCleared.isDisjoint(with: .accessTimeMask) { recursiveCleared.formUnion(.accessTimeMask) }
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
            // A word nobody knows may be a misspelt "ro". A file system's setting has nothing to act on: mount(2) passes it
            // over for a bind.
            if let stray = data.first(where: { !$0.contains("=") }) {
                throw RuntimeFailure(
                    .specification, "mount \(mount.destination): unknown option \"\(stray)\" for a bind")
            }
            (unusedOptions, data) = (data, [])
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

    /// Whether it shows the network namespace it is made in, and nothing else that it would have to come first for.
    var showsNetwork: Bool { if case .fileSystem(type: "sysfs", _) = kind { true } else { false } }

    /// Whether it is the same in whichever network namespace it is made: file systems of the network and of its servers are not,
    /// nor is what procfs has of the process that asks.
    var ignoresNetwork: Bool {
        switch kind {
        case .fileSystem(let type, _): ["proc", "tmpfs", "devpts", "mqueue"].contains(type)
        case .bind(let source, _): !WaitingMounts.areNear(source, "/proc")
        case .cgroup, .change: true
        }
    }

    /// Whether it is a read-only tmpfs, which has to hold the places of other mounts before it is one.
    var becomesReadOnlyLate: Bool {
        guard case .fileSystem(type: "tmpfs", _) = kind else { return false }
        return attributes.contains(.readOnly)
    }

    /// What is to be off of a bind's copy, one after the other until the kernel allows it.
    ///
    /// mount(2) gives a bind that names attributes only these. Where the source's mount is another user namespace's its
    /// attributes are locked (mount_namespaces(7)): they stay unless the document asks for the contrary. How access times
    /// are kept is left alone unless it is chosen.
    var clearedOfCopy: [MountAttributes] {
        var asked = cleared.union(.noSymlinkFollow)
        let choosesAccessTimes =
            !attributes.isDisjoint(with: [.accessTimeMask, .noDirectoryAccessTime])
            || cleared.isSuperset(of: .accessTimeMask)
        if choosesAccessTimes { asked.formUnion([.accessTimeMask, .noDirectoryAccessTime]) }
        return [asked.union([.readOnly, .noSUID, .noDevices, .noExec]), asked].map {
            // The field of access times is cleared also for what is then set in it.
            $0.subtracting(attributes.subtracting(.accessTimeMask))
        }
    }

    private static func apply(
        _ change: (set: Bool, MountAttributes), _ attributes: inout MountAttributes, _ cleared: inout MountAttributes
    ) {
        if change.set {
            if !change.1.isDisjoint(with: .accessTimeMask) {
                attributes.subtract(.accessTimeMask)
                cleared.subtract(.accessTimeMask)
            }
            attributes.insert(change.1)
            cleared.remove(change.1)
        } else {
            attributes.remove(change.1)
            cleared.insert(change.1)
        }
    }

    /// The words of mount(8) for attributes of a mount; with an `r` in front they hold for the mounts below as well.
    private static func attribute(_ word: String) -> (set: Bool, MountAttributes)? {
        switch word {
        case "ro": (true, .readOnly)
        case "rw": (false, .readOnly)
        case "nosuid": (true, .noSUID)
        case "suid": (false, .noSUID)
        case "nodev": (true, .noDevices)
        case "dev": (false, .noDevices)
        case "noexec": (true, .noExec)
        case "exec": (false, .noExec)
        case "noatime": (true, .noAccessTime)
        case "atime": (false, .noAccessTime)
        case "nodiratime": (true, .noDirectoryAccessTime)
        case "diratime": (false, .noDirectoryAccessTime)
        case "strictatime": (true, .strictAccessTime)
        case "nostrictatime": (false, .strictAccessTime)
        case "relatime": (false, .accessTimeMask)
        case "norelatime": (false, [])
        case "nosymfollow": (true, .noSymlinkFollow)
        case "symfollow": (false, .noSymlinkFollow)
        default: nil
        }
    }

    private static func propagation(_ word: String) -> (kind: Propagation, recursive: Bool)? {
        switch word {
        case "private": (.private, false)
        case "rprivate": (.private, true)
        case "slave": (.slave, false)
        case "rslave": (.slave, true)
        case "shared": (.shared, false)
        case "rshared": (.shared, true)
        case "unbindable": (.unbindable, false)
        case "runbindable": (.unbindable, true)
        default: nil
        }
    }

    /// Every option that is told apart; others are the file system's own.
    static var knownOptions: [String] {
        let attributes = [
            "ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "noatime", "atime", "nodiratime",
            "diratime",
            "strictatime", "nostrictatime", "relatime", "norelatime", "nosymfollow", "symfollow",
        ]
        let propagations = ["private", "slave", "shared", "unbindable"]
        return
            (["bind", "rbind", "defaults", "remount", "idmap", "ridmap", "tmpcopyup"]
            + (attributes + propagations).flatMap { [$0, "r" + $0] }).sorted()
    }
}

extension PlannedMount.Kind {
    var isBind: Bool { if case .bind = self { true } else { false } }
}

extension RuntimeSpec.Mount {
    /// What of the options has no effect, in words for a log.
    public var warnings: [String] {
        // Most are no binds with settings, which is seen without a plan.
        let isBind = type == "bind" || type == "rbind" || options.contains("bind") || options.contains("rbind")
        guard isBind, options.contains(where: { $0.utf8.contains(UInt8(ascii: "=")) }),
            let planned = try? PlannedMount(self), !planned.unusedOptions.isEmpty
        else { return [] }
        return [
            "mount \(destination): a bind cannot take these options, which are left out: "
                + planned.unusedOptions.joined(separator: ", ")
        ]
    }
}
