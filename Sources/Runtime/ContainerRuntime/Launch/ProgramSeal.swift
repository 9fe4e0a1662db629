internal import CLinux
internal import Linux

/// Keeps the program that makes containers from being overwritten out of one: law 5, CVE-2019-5736.
///
/// A container's process reaches this program's file as its own `/proc/self/exe` until it has become another program, and
/// for good by making it the interpreter of a script; one with `CAP_SYS_PTRACE` reaches it through every process that
/// enters. So the program begins by exchanging it for an empty one, before the C library; where the kernel does not allow
/// that, it is run again from a sealed copy in memory. Whoever could not write to the file anyway needs neither.
///
/// ```
/// exchange  0.1 ms of CPU, no memory      second exec of the file  0.8 ms      sealed copy  5 ms and the file's size
/// ```
public struct ProgramSeal: Sendable {
    /// Open as long as the program runs, or has something to do.
    private let mount: Int32?

    /// Sees to it that the running program is sealed.
    ///
    /// - Parameter arguments: the process's own, for the second run where one is needed.
    public static func apply(arguments: [String]) throws(RuntimeFailure) -> ProgramSeal {
        if let mount = OwnProgram.sealedMount { return ProgramSeal(mount: mount) }
        guard OwnProgram.isWritable, !OwnProgram.isSealed else { return ProgramSeal(mount: nil) }
        let failure = OwnProgram.runFromMemory(arguments: arguments)
        throw RuntimeFailure(.exec, "protect the runtime's own program: \(failure)", errno: failure.errno)
    }

    /// Closes whatever the caller left open, from a number on.
    public func closeOthers(from first: Int32) { closeAll(except: mount.map { [$0] } ?? [], from: first) }

    /// Gives the mount up; once, by a process that waits for another one.
    ///
    /// The kernel has the last one wait until no processor looks at it any more, which at the end a caller would wait for too.
    public func release() {
        if let mount { closeDescriptor(mount) }
    }

    /// In a container's own mount namespace: lets the mount go with the old root, whose unmounting the kernel waits for
    /// anyway.
    ///
    /// Where the program's path is not to be found any more it goes with its descriptor, and is waited for by itself.
    func attach() {
        guard let mount, let path = OwnProgram.startedPath, let place = try? open(path, O_PATH) else { return }
        try? attachMount(mount, over: place.raw)
    }
}
