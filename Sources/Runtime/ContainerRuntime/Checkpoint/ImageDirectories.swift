internal import CLinux
internal import JSON
internal import Linux

/// The open directories of a checkpoint: its images, and CRIU's log and sockets where these are kept apart.
struct ImageDirectories: Sendable {
    let images: SharedDescriptor
    let work: SharedDescriptor?
    private let logPath: String

    /// - Parameter creating: whether directories that are missing are made, readable for their owner only.
    init(_ settings: CRIUSettings, creating: Bool) throws(RuntimeFailure) {
        let path = settings.imagePath, workPath = settings.workPath
        (images, work) = try step(.checkpoint) { () throws(SystemError) in
            if creating { try makeDirectories(path, mode: 0o700) }
            let images = SharedDescriptor(try Linux.open(path, O_RDONLY | O_DIRECTORY))
            guard let workPath else { return (images, nil) }
            try makeDirectories(workPath, mode: 0o700)
            return (images, SharedDescriptor(try Linux.open(workPath, O_RDONLY | O_DIRECTORY)))
        }
        logPath = workPath ?? path
    }

    /// An earlier dump that is not there would only be noticed when the container has been stopped.
    func checkParent(_ parent: String?, of path: String) throws(RuntimeFailure) {
        guard let parent, !parent.isEmpty else { return }
        do throws(SystemError) { _ = try Linux.open(parent, O_PATH | O_DIRECTORY, at: images.raw) } catch {
            throw RuntimeFailure(
                .checkpoint, "invalid --parent-path: \(path)/\(parent): \(error.reason)", errno: error.errno)
        }
    }

    /// Lets a group search the images' directory until the returned value is given back.
    ///
    /// CRIU opens images while it is root of the container's user namespace already, for whom a directory of mode 0700 is
    /// closed.
    ///
    /// - Returns: what the directory was before; nil where nothing had to be changed.
    func letIn(group: gid_t) throws(RuntimeFailure) -> (group: gid_t, mode: mode_t)? {
        try step(.checkpoint) { () throws(SystemError) in
            let before = try status(of: images.raw)
            if before.permissions & 0o001 != 0 || (before.st_gid == group && before.permissions & 0o010 != 0) {
                return nil
            }
            try setOwner(images.raw, uid: before.st_uid, gid: group)
            try setMode(images.raw, before.permissions & ~0o070 | 0o010)
            return (before.st_gid, before.permissions)
        }
    }

    func close(to before: (group: gid_t, mode: mode_t)?) {
        guard let before, let now = try? status(of: images.raw) else { return }
        try? setOwner(images.raw, uid: now.st_uid, gid: before.group)
        try? setMode(images.raw, before.mode)
    }

    func write(_ streams: StreamNames) throws(RuntimeFailure) {
        try step(.checkpoint) { () throws(SystemError) in
            let file = try Linux.open(
                StreamNames.fileName, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600, at: images.raw)
            try writeAll(file.raw, streams.json.serialized())
        }
    }

    func removeStreams() { try? unlink(StreamNames.fileName, at: images.raw) }

    /// The streams of the container that was dumped.
    ///
    /// - Throws: also where the directory holds no checkpoint.
    func readStreams() throws(RuntimeFailure) -> StreamNames {
        let bytes: [UInt8]
        do throws(SystemError) {
            _ = try status("inventory.img", at: images.raw)
            let file = try Linux.open(StreamNames.fileName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, at: images.raw)
            bytes = try readAll(file.raw, limit: 1 << 16)
        } catch {
            throw RuntimeFailure(.checkpoint, "--image-path holds no checkpoint: \(error)", errno: error.errno)
        }
        guard let json = try? JSON.parse(bytes), let streams = StreamNames(json: json) else {
            throw RuntimeFailure(.checkpoint, "--image-path holds no checkpoint: \(StreamNames.fileName) is damaged")
        }
        return streams
    }

    /// What failed, with what CRIU's log says of it; the answer's own words are only the first line of that.
    func failure(_ what: String, _ answer: CRIUResponse, log: String) -> RuntimeFailure {
        let directory = work ?? images
        return RuntimeFailure(
            .checkpoint,
            CRIULog.explanation(what, file: "\(logPath)/\(log)", log: CRIULog.read(log, in: directory.raw)),
            errno: answer.errno)
    }
}
