public import CLinux

/// Waits until one of a few descriptors has something to say; an interrupted wait says that none has.
///
/// - Parameters:
///   - watched: descriptors with `POLLIN`, `POLLOUT`; a negative descriptor is passed over.
///   - timeout: milliseconds, -1 for ever.
/// - Returns: the events of each, in order; all zero after a timeout. C function: `poll`.
public func poll(_ watched: [(descriptor: Int32, events: Int16)], timeout: Int32 = -1) throws(SystemError) -> [Int16] {
    var entries = watched.map { pollfd(fd: $0.descriptor, events: $0.events, revents: 0) }
    try poll(&entries, timeout: timeout)
    return entries.map(\.revents)
}

/// The same, with the kernel's own entries, in which it leaves the events.
public func poll(_ entries: inout [pollfd], timeout: Int32 = -1) throws(SystemError) {
    guard CLinux.poll(&entries, nfds_t(entries.count), timeout) < 0 else { return }
    let number = skiff_errno()
    guard number == EINTR else { throw SystemError("poll", errno: number) }
    for index in entries.indices { entries[index].revents = 0 }
}
