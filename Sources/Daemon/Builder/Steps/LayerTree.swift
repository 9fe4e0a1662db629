internal import CLinux
internal import DockerfileSyntax
internal import Failures
internal import Linux

/// Fills the directory of a new layer with copies, as they shall be seen over the layers below.
///
/// Directories on the way are made in the layer with the metadata they have below, since an overlay shows the upper one's.
/// Links of the image are followed inside the image, links that were copied never: every step opens one name in an open
/// directory and refuses to follow.
final class LayerTree {
    typealias Owner = UserNames.Owner

    private let layer: Int32
    /// What the layer stands on.
    let below: ImageTree
    /// Owner of everything copied; `nil` keeps the sources' own.
    private let owner: Owner?
    private let mode: FileMode?
    /// The directories from the layer's root to where work goes on.
    private var open: [(path: TreePath, directory: SharedDescriptor)] = []
    /// Times of directories, set when nothing more goes into them.
    private var times: [TreePath: (seconds: Int64, nanoseconds: Int32)] = [:]
    /// Where a path of the image really is, links followed.
    private var resolved: [TreePath: TreePath] = [:]
    private(set) var bytes: Int64 = 0

    init(layer: Int32, below: ImageTree, owner: Owner?, mode: FileMode?) {
        self.layer = layer
        self.below = below
        self.owner = owner
        self.mode = mode
    }

    // MARK: Where things go

    /// Where a destination leads in the image, and whether a directory is there.
    func destination(_ path: TreePath) throws(SystemError) -> (path: TreePath, isDirectory: Bool) {
        let real = try below.resolve(path)
        return (real, try below.status(real)?.isDirectory ?? real.isRoot)
    }

    /// The place of a path whose directory may be a link in the image.
    private func real(_ path: TreePath) throws(SystemError) -> TreePath {
        if path.isRoot { return path }
        return try realDirectory(path.parent).appending(Array(path.name))
    }

    private func realDirectory(_ path: TreePath) throws(SystemError) -> TreePath {
        if path.isRoot { return path }
        if let known = resolved[path] { return known }
        let parent = try realDirectory(path.parent)
        var place = parent.appending(Array(path.name))
        if let status = try below.status(place), status.isSymlink {
            let target = try below.resolve(place)
            if try below.status(target)?.isDirectory == true { place = target }
        }
        resolved[path] = place
        return place
    }

    // MARK: Making things

    /// Makes a directory and those above it.
    ///
    /// - Parameter entry: whose metadata it gets; `nil` leaves what is there, or makes an ordinary one.
    /// - Parameter onlyIfNew: a directory that is there, below or in the layer, keeps its own.
    func makeDirectory(_ path: TreePath, like entry: TreeEntry?, onlyIfNew: Bool) throws {
        let place = try realDirectory(path)
        if place.isRoot { return }
        let isNew = try enter(place)
        guard let entry, isNew || !onlyIfNew, let directory = open.last?.directory.raw else { return }
        try setOwner(directory, uid: (owner?.user ?? entry.user), gid: (owner?.group ?? entry.group))
        try setMode(directory, mode_t(applied(entry)))
        for attribute in entry.attributes { try setAttribute(attribute.name, attribute.value, of: directory) }
        times[place] = (entry.seconds, 0)
    }

    /// Goes to a directory of the layer, making what is missing.
    ///
    /// Whether the last one is nowhere yet, not below either.
    @discardableResult
    private func enter(_ path: TreePath) throws -> Bool {
        while let last = open.last, last.path != path, !path.isBelow(last.path) { open.removeLast() }
        if open.isEmpty { open = [(.root, SharedDescriptor(try duplicate(layer)))] }
        var isNew = false
        for part in path.relative(to: open.last?.path ?? .root).parts {
            guard let (at, directory) = open.last else { break }
            let next = at.appending(part)
            let name = FileName(part)
            let made = try name.withCString { pointer throws(SystemError) in
                try makeDirectoryEntry(pointer, mode: 0o755, at: directory.raw)
            }
            let opened = try self.opened(name, at: directory.raw, next)
            isNew = false
            if made { isNew = try adopt(next, opened.raw) }
            open.append((next, opened))
        }
        return isNew
    }

    private func opened(_ name: FileName, at directory: Int32, _ path: TreePath) throws(Failure) -> SharedDescriptor {
        do throws(SystemError) {
            let raw = try name.withCString { pointer throws(SystemError) in
                try openEntry(pointer, O_RDONLY | O_DIRECTORY, at: directory).release()
            }
            return SharedDescriptor(OwnedDescriptor(owning: raw))
        } catch {
            guard error.errno == ENOTDIR || error.errno == ELOOP else {
                throw Failure(.internal, "open /\(path.text) of the layer: \(error)", cause: error)
            }
            throw Failure(.invalid, "cannot copy to non-directory: /\(path.text)")
        }
    }

    /// Gives a directory that was just made what the one below it has; whether there is none.
    private func adopt(_ path: TreePath, _ directory: Int32) throws -> Bool {
        guard let status = try below.status(path) else {
            if let owner { try setOwner(directory, uid: owner.user, gid: owner.group) }
            return true
        }
        guard status.isDirectory else { throw Failure(.invalid, "cannot copy to non-directory: /\(path.text)") }
        try setOwner(directory, uid: status.st_uid, gid: status.st_gid)
        try setMode(directory, status.permissions)
        let lower = try below.openDirectory(path)
        for name in try attributeNames(lower.raw) where !name.hasPrefix("trusted.") {
            if let value = try attribute(name, of: lower.raw) { try setAttribute(name, value, of: directory) }
        }
        times[path] = (Int64(status.st_mtim.tv_sec), Int32(status.st_mtim.tv_nsec))
        return false
    }

    /// Makes anything but a directory, in place of what this layer has there.
    ///
    /// `fill` writes a file's content.
    func make(_ path: TreePath, like entry: TreeEntry, fill: (Int32) throws -> Void) throws {
        let place = try real(path)
        guard !place.isRoot else { throw Failure(.invalid, "cannot copy a file over the root directory") }
        try enter(place.parent)
        guard let directory = open.last?.directory.raw else { return }
        if try below.status(place)?.isDirectory == true {
            throw Failure(.invalid, "cannot copy to directory: /\(place.text)")
        }
        let name = FileName(Array(place.name))
        try clear(name, at: directory, place)
        let owner = owner ?? Owner(user: entry.user, group: entry.group)
        switch entry.kind {
        case .file:
            let raw = try name.withCString { pointer throws(SystemError) in
                try openEntry(pointer, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600, at: directory).release()
            }
            let file = OwnedDescriptor(owning: raw)
            try fill(file.raw)
            try setOwner(file.raw, uid: owner.user, gid: owner.group)
            for attribute in entry.attributes { try setAttribute(attribute.name, attribute.value, of: file.raw) }
            try setMode(file.raw, mode_t(applied(entry)))
            try setTimes(file.raw, seconds: entry.seconds, nanoseconds: 0)
            bytes += entry.size
        case .symlink:
            _ = try name.withCString { pointer throws(SystemError) in
                try FileName(entry.target).withCString { target throws(SystemError) in
                    try makeSymlinkEntry(pointer, to: target, at: directory)
                }
            }
            try finish(name, at: directory, owner, entry, mode: false)
        case .fifo, .characterDevice, .blockDevice:
            let type = entry.kind == .fifo ? S_IFIFO : entry.kind == .characterDevice ? S_IFCHR : S_IFBLK
            let device = skiff_makedev(entry.major, entry.minor)
            _ = try name.withCString { pointer throws(SystemError) in
                try makeNodeEntry(pointer, mode: mode_t(type) | 0o600, device: device, at: directory)
            }
            try finish(name, at: directory, owner, entry, mode: true)
        case .directory: try makeDirectory(path, like: entry, onlyIfNew: false)
        }
    }

    private func finish(_ name: FileName, at directory: Int32, _ owner: Owner, _ entry: TreeEntry, mode: Bool) throws {
        let bits = mode_t(applied(entry))
        try name.withCString { pointer throws(SystemError) in
            try setOwnerEntry(pointer, uid: owner.user, gid: owner.group, at: directory)
            if mode { try setModeEntry(pointer, bits, at: directory) }
            try setTimesEntry(pointer, seconds: entry.seconds, nanoseconds: 0, at: directory)
        }
    }

    /// Takes away what an earlier source put there.
    private func clear(_ name: FileName, at directory: Int32, _ place: TreePath) throws {
        let found = try name.withCString { pointer throws(SystemError) in try statusEntry(pointer, at: directory) }
        guard let found else { return }
        if found.isDirectory { throw Failure(.invalid, "cannot copy to directory: /\(place.text)") }
        try name.withCString { pointer throws(SystemError) in
            try check("unlink", name.text) { unlinkat(directory, pointer, 0) }
        }
    }

    /// A second name of something this layer has, for archives.
    func makeLink(_ path: TreePath, to target: TreePath) throws {
        let place = try real(path)
        let old = try real(target)
        try enter(old.parent)
        guard let source = open.last?.directory else { return }
        try enter(place.parent)
        guard let directory = open.last?.directory.raw, place != old else { return }
        let name = FileName(Array(place.name))
        try clear(name, at: directory, place)
        do throws(SystemError) {
            _ = try name.withCString { pointer throws(SystemError) in
                try FileName(Array(old.name)).withCString { other throws(SystemError) in
                    try makeHardLinkEntry(pointer, at: directory, to: other, at: source.raw)
                }
            }
        } catch {
            guard error.errno == ENOENT else { throw error }
            throw Failure(
                .invalid,
                "\"\(path.text)\" is a hard link to \"\(target.text)\", which the archive does not hold before it")
        }
    }

    private func applied(_ entry: TreeEntry) -> UInt16 {
        mode?.applied(to: entry.mode, isDirectory: entry.kind == .directory) ?? entry.mode
    }

    /// Sets the directories' times: last, because every file that is made in one changes them.
    func finish() throws {
        for (path, time) in times.sorted(by: { $0.key < $1.key }) {
            try enter(path)
            if let directory = open.last?.directory.raw {
                try setTimes(directory, seconds: time.seconds, nanoseconds: time.nanoseconds)
            }
        }
        open = []
    }
}
