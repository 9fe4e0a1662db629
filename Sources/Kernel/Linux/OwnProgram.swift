internal import CLinux

/// The file this program was started from, and how it is kept from being overwritten by whoever can reach it as
/// `/proc/<pid>/exe`.
///
/// A process cannot be denied its own `/proc/self/exe`, and a script in a container may name it as its interpreter. What was
/// opened through it can be opened for writing once nobody runs the file, and even where the mount forbids that, the kernel
/// refuses to run the file anywhere while somebody tries. So what is found there is not the file.
public enum OwnProgram {
    /// Whether somebody with this process's rights could write to the file.
    ///
    /// C function: `faccessat`. False on a read-only mount, and for a user who does not own the file.
    public static var isWritable: Bool { faccessat(Directory.working, path, W_OK, AT_EACCESS) == 0 }

    /// Whether the program runs from a sealed file in memory: see ``runFromMemory(arguments:)``.
    public static var isSealed: Bool {
        guard let name = try? readLink(path), name.hasPrefix("/memfd:"), let file = try? open(path, O_RDONLY) else {
            return false
        }
        let seals = skiff_fcntl(file.raw, F_GET_SEALS, 0)
        return seals >= 0 && seals & F_SEAL_WRITE != 0
    }

    private static let path = "/proc/self/exe"

    /// The mount the program runs from since its start, attached nowhere, where `/proc/self/exe` leads to its file no more; nil
    /// where it could not be exchanged.
    ///
    /// See `CQuickStart/SealedStart.c`; C functions: `open_tree`, `mount_setattr`, `mmap`, `prctl(PR_SET_MM)`.
    public static var sealedMount: Int32? {
        let raw = skiff_own_mount()
        return raw < 0 ? nil : raw
    }

    /// The path the program was started by, as its caller gave it.
    ///
    /// C: `getauxval(AT_EXECFN)`.
    public static var startedPath: String? {
        UnsafePointer<CChar>(bitPattern: getauxval(UInt(AT_EXECFN))).map { String(cString: $0) }
    }

    /// Runs the program again from a copy in memory that nobody can write to; returns only the reason why not.
    ///
    /// C functions: `memfd_create`, `fcntl(F_ADD_SEALS)`, `execveat`.
    public static func runFromMemory(arguments: [String]) -> SystemError {
        do throws(SystemError) {
            let copy = try sealedMemoryFile("skiff", readFile(path, limit: 256 << 20))
            var environment: [String] = []
            var entry = skiff_environ()
            while let variable = entry?.pointee {
                environment.append(String(cString: variable))
                entry = entry?.advanced(by: 1)
            }
            return execute(copy.procPath, arguments: arguments, environment: environment)
        } catch { return error }
    }
}
