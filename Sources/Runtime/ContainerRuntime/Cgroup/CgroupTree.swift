internal import CLinux
internal import Linux

/// Removes a group and those below it; fine when it is gone.
///
/// A process that is ending keeps its group busy for a moment, which is waited for, shortly.
func removeGroup(_ directory: String) throws(SystemError) {
    var attempts = 0
    while true {
        switch tryUnlink(directory, directory: true) {
        case 0, ENOENT: return
        case EBUSY where attempts < 2000:
            // A container that may write to its cgroups leaves some below its own.
            if attempts == 0 { try removeGroups(below: directory) }
            attempts += 1
            if attempts < 100 {
                sched_yield()
            } else {
                var pause = timespec(tv_sec: 0, tv_nsec: 1_000_000)
                nanosleep(&pause, nil)
            }
        case let number: throw SystemError("rmdir", errno: number, subject: directory)
        }
    }
}

/// Whether a group is gone now, or was before: nobody is in it, and none is below it.
func removeIfEmpty(_ directory: String) -> Bool {
    let outcome = tryUnlink(directory, directory: true)
    return outcome == 0 || outcome == ENOENT
}

private func removeGroups(below directory: String) throws(SystemError) {
    for name in groups(below: directory) { try removeGroup("\(directory)/\(name)") }
}

/// The names of the groups right below one; none when it is gone.
private func groups(below directory: String) -> [String] {
    guard let opened = try? open(directory, O_RDONLY | O_DIRECTORY), let entries = try? readDirectory(opened.raw) else {
        return []
    }
    return entries.filter { $0.type == UInt8(DT_DIR) }.map(\.name.text)
}

/// Every process in a group and below it; none when it is gone.
func readProcessTree(_ directory: String) throws(SystemError) -> [pid_t] {
    var found = try readProcesses(directory + "/cgroup.procs")
    for name in groups(below: directory) { found += try readProcessTree("\(directory)/\(name)") }
    return found
}

/// The numbers in a `cgroup.procs` file; missing means none.
func readProcesses(_ file: String) throws(SystemError) -> [pid_t] {
    do { return try readText(file).split(separator: "\n").compactMap { pid_t($0) } } catch {
        // v2: the processes of a threaded group are listed above it.
        if error.errno == ENOENT || error.errno == ENODEV || error.errno == EOPNOTSUPP { return [] }
        throw error
    }
}

/// Kills what is in a group and below it until nothing is left; each round finds what was forked meanwhile.
///
/// - Parameter thaw: lets frozen processes die.
func killTree(_ directory: String, thaw: () -> Void) throws(SystemError) {
    for _ in 0..<1000 {
        let members = try readProcessTree(directory)
        if members.isEmpty { return }
        for pid in members { _ = CLinux.kill(pid, SIGKILL) }
        thaw()
        sched_yield()
    }
}

/// The number behind a name in a "name number" file; 0 when it is not there.
func counter(_ name: String, in text: String) -> UInt64 {
    for line in text.split(separator: "\n") {
        let fields = line.split(separator: " ")
        if fields.count == 2, fields[0] == name { return UInt64(fields[1]) ?? 0 }
    }
    return 0
}

extension String {
    var trimmedLine: String { String(prefix { !$0.isNewline }) }
}
