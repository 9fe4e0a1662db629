internal import CLinux
internal import Linux
internal import OCI

/// A container's root directory by descriptor, and everything that is put into it.
///
/// Law 1: no path below it is ever resolved by string. Each look-up is `openat2` inside the root, each mount goes onto an
/// open descriptor. What the image holds at those places, links and races included, cannot lead out.
struct ContainerRoot: ~Copyable {
    let descriptor: OwnedDescriptor
    var raw: Int32 { descriptor.raw }

    /// Mounts the root file system in this mount namespace, which is the container's own already.
    ///
    /// - Parameter opened: the directory as a mount, where it had to be opened before.
    init(_ source: RootfsSource, opened: SharedDescriptor? = nil) throws(SystemError) {
        descriptor = try Self.mount(source, opened)
    }

    private static func mount(_ source: RootfsSource, _ opened: SharedDescriptor?) throws(SystemError)
        -> OwnedDescriptor
    {
        switch source {
        case .overlay(let overlay):
            // The list of directories is relative: mount(2) takes it in one page. The mount covers the store's own
            // directory, which nobody in this namespace needs any more.
            try changeDirectory(overlay.base)
            // What an upper directory holds must mean the same on any kernel, since it becomes a layer.
            var options = "lowerdir=" + overlay.lower.joined(separator: ":")
            if let upper = overlay.upper, let work = overlay.work { options += ",upperdir=\(upper),workdir=\(work)" }
            options += ",redirect_dir=off,metacopy=off,index=off"
            guard options.utf8.count < 4096 else {
                throw SystemError("mount", errno: E2BIG, subject: "overlay of \(overlay.lower.count) layers")
            }
            try mountHere(type: "overlay", options: options)
            return try Linux.open(overlay.base, O_PATH | O_DIRECTORY)
        case .directory(let path):
            // pivot_root wants a mount, so the directory becomes one.
            if let opened {
                // At its own path later mounts find what earlier ones put there. Whoever cannot walk to it cannot attach
                // anything there: anywhere else serves as well.
                let place: OwnedDescriptor
                do { place = try Linux.open(path, O_PATH | O_DIRECTORY) } catch {
                    place = try Linux.open("/", O_PATH | O_DIRECTORY)
                }
                try attachMount(opened.raw, over: place.raw)
                return try opened.duplicate()
            }
            let tree = try MountTree(cloning: path, recursive: true)
            let below = try Linux.open(path, O_PATH | O_DIRECTORY)
            try tree.attach(over: below.raw)
            return try Linux.open(path, O_PATH | O_DIRECTORY)
        }
    }

    /// Something that is there; links are followed inside the root.
    func open(_ path: String, _ flags: Int32 = O_PATH) throws(SystemError) -> OwnedDescriptor {
        try Linux.open(in: raw, path.relative, flags)
    }

    /// Whether no link is on the way to a path, as far as that is there.
    func isPlain(_ path: String) -> Bool {
        do {
            _ = try Linux.open(in: raw, path.relative, O_PATH, resolve: [.inRoot, .noMagicLinks, .noSymlinks])
            return true
        } catch { return error.errno == ENOENT }
    }

    /// A directory, made with those above it where they are missing.
    ///
    /// - Parameter links: how many links that lead nowhere yet may be on the way.
    func directory(_ path: String, mode: mode_t = 0o755, links: Int = 16) throws(SystemError) -> OwnedDescriptor {
        do { return try open(path, O_PATH | O_DIRECTORY) } catch {
            guard error.errno == ENOENT else { throw error }
        }
        var current = try open("/", O_PATH | O_DIRECTORY)
        var walked = ""
        let components = path.components
        for (index, component) in components.enumerated() {
            let parent = walked
            walked += "/" + component
            do { current = try open(walked, O_PATH | O_DIRECTORY) } catch {
                guard error.errno == ENOENT else { throw error }
                if component == ".." { throw error }
                if let target = linkTarget(component, in: current, at: parent) {
                    guard links > 0 else { throw error }
                    let rest = components[(index + 1)...].map { "/" + $0 }.joined()
                    return try directory(target + rest, mode: mode, links: links - 1)
                }
                do { try makeDirectory(component, mode: mode, at: current.raw) } catch
                    where error.errno == EEXIST
                {
                    // A racing writer: a link of theirs is refused by the look-up that follows.
                }
                current = try Linux.open(in: current.raw, component, O_PATH | O_DIRECTORY | O_NOFOLLOW)
            }
        }
        return current
    }

    /// A file, made empty where it is missing, with the directories above it.
    func file(_ path: String, links: Int = 16) throws(SystemError) -> OwnedDescriptor {
        do { return try open(path) } catch {
            guard error.errno == ENOENT else { throw error }
        }
        let (parent, name) = path.parentAndName
        let directory = try directory(parent)
        if links > 0, let target = linkTarget(name, in: directory, at: parent) {
            return try file(target, links: links - 1)
        }
        let made = try Linux.open(in: directory.raw, name, O_CREAT | O_RDONLY | O_NOFOLLOW | O_NONBLOCK, mode: 0o644)
        return try Linux.open(in: directory.raw, name, O_PATH | O_NOFOLLOW).verified(sameAs: made.raw)
    }

    /// Where a link in a directory leads, as a path from the root; nil where there is no link.
    ///
    /// The path is only ever looked up inside the root, whatever the link says.
    private func linkTarget(_ name: String, in directory: borrowing OwnedDescriptor, at path: String) -> String? {
        guard let target = try? readLink(name, at: directory.raw) else { return nil }
        return target.hasPrefix("/") ? target : path + "/" + target
    }

    /// Makes the root, and what is mounted in it, what the program sees as `/`.
    func pivot(avoidingPivotRoot: Bool) throws(SystemError) {
        if avoidingPivotRoot { try moveRoot(to: raw) } else { try pivotRoot(to: raw) }
    }
}

/// Whether no link is on the way to a path of this process's own root, as far as that is there.
func isPlainOnHost(_ path: String) -> Bool {
    do {
        _ = try Linux.open(in: Directory.working, path, O_PATH, resolve: [.noMagicLinks, .noSymlinks])
        return true
    } catch { return error.errno == ENOENT }
}

extension OwnedDescriptor {
    /// The descriptor itself, once it is shown to be the same file as another.
    fileprivate consuming func verified(sameAs other: Int32) throws(SystemError) -> OwnedDescriptor {
        let mine = try status(of: raw), theirs = try status(of: other)
        guard mine.st_dev == theirs.st_dev, mine.st_ino == theirs.st_ino else {
            throw SystemError("open", errno: ESTALE, subject: "a file that was swapped while it was made")
        }
        return self
    }
}

extension String {
    /// The path without its leading slashes, for look-ups below a descriptor; the root itself is ".".
    var relative: String {
        let rest = drop { $0 == "/" }
        return rest.isEmpty ? "." : String(rest)
    }

    /// The absolute path without empty parts and `.`, and with `..` taken back as far as the root: what `filepath.Clean` of
    /// other runtimes makes of it.
    var cleanPath: String {
        var parts: [String] = []
        for part in components { if part == ".." { _ = parts.popLast() } else { parts.append(part) } }
        if parts.isEmpty { return "/" }
        var path = ""
        for part in parts { path += "/" + part }
        return path
    }

    /// The names on the way, without empty ones and `.`.
    fileprivate var components: [String] {
        var names: [String] = [], fields = Fields(Array(utf8), separatedBy: UInt8(ascii: "/"))
        while let name = fields.text() { if !name.isEmpty, name != "." { names.append(name) } }
        return names
    }

    /// What is before the last slash, and what is behind it.
    var parentAndName: (parent: String, name: String) {
        var trimmed = self[...]
        while trimmed.count > 1, trimmed.last == "/" { trimmed = trimmed.dropLast() }
        guard let slash = trimmed.lastIndex(of: "/") else { return ("/", String(trimmed)) }
        return (String(trimmed[..<slash]) + "/", String(trimmed[trimmed.index(after: slash)...]))
    }
}
