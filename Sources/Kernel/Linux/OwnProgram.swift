internal import CLinux

/// The file this program was started from, and how it is kept from being overwritten by whoever can reach it as
/// `/proc/<pid>/exe`.
///
/// ```
/// before   /proc/self/exe ─▶ /usr/bin/x on the host's mount: opened again, it can be written once nobody runs it
/// after    /proc/self/exe ─▶ the same file on a mount of its own that is read-only and attached nowhere
/// ```
/// A process cannot be denied its own `/proc/self/exe`, and a script in a container may name it as its interpreter. What
/// is opened through a read-only mount stays read-only, and a mount that is attached nowhere cannot be changed.
public enum OwnProgram {
    /// Whether somebody with this process's rights could write to the file.
    ///
    /// C function: `faccessat`. False on a read-only mount, and for a user who does not own the file.
    public static var isWritable: Bool { faccessat(Directory.working, path, W_OK, AT_EACCESS) == 0 }

    /// Whether the program runs from a sealed file in memory: see ``runFromMemory(arguments:)``.
    ///
    /// - Parameter name: where its link leads, as a file in memory has it: "/memfd:skiff".
    public static func isSealed(_ name: String) -> Bool {
        guard name.hasPrefix("/memfd:"), let file = try? open(path, O_RDONLY) else { return false }
        let seals = skiff_fcntl(file.raw, F_GET_SEALS, 0)
        return seals >= 0 && seals & F_SEAL_WRITE != 0
    }

    private static let path = "/proc/self/exe"

    /// Lets the running program go on from the same file on a read-only mount; nothing is executed again.
    ///
    /// The segments are mapped again, which the kernel asks for before it forgets the old file: only for a statically linked
    /// program of one thread. C functions: `open_tree`, `mount_setattr`, `mmap`, `prctl(PR_SET_MM)`.
    ///
    /// - Returns: the mount. The program needs it no longer; closing it makes the kernel wait for readers of the mount
    ///   table, which is saved by attaching it where much is unmounted anyway.
    /// - Throws: `EPERM` without `CAP_SYS_ADMIN`, or without both of `CAP_SYS_RESOURCE` and `CAP_CHECKPOINT_RESTORE`.
    public static func moveToReadOnlyMount() throws(SystemError) -> MountTree {
        let tree = try MountTree(cloning: path, recursive: false)
        try tree.change(set: .readOnly)
        let file = try open(tree.descriptor.procPath, O_RDONLY)
        try mapAgain(from: file.raw)
        do throws(SystemError) {
            try check("prctl(PR_SET_MM_EXE_FILE)") {
                skiff_prctl(PR_SET_MM, UInt(PR_SET_MM_EXE_FILE), UInt(file.raw), 0, 0)
            }
        } catch {
            guard error.errno == EPERM else { throw error }
            try setProgramFile(file.raw)
        }
        return tree
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

    // MARK: Segments

    private static func mapAgain(from file: Int32) throws(SystemError) {
        let page = UInt(getpagesize())
        var segments: [skiff_segment] = []
        var protected: Range<UInt> = 0..<0
        guard let headers = UnsafePointer<Elf64_Phdr>(bitPattern: getauxval(UInt(AT_PHDR))) else {
            throw SystemError("getauxval", errno: ENOENT)
        }
        let count = Int(getauxval(UInt(AT_PHNUM)))
        var base: UInt = 0
        for index in 0..<count where headers[index].p_type == UInt32(PT_PHDR) {
            base = UInt(bitPattern: headers) &- UInt(headers[index].p_vaddr)
        }
        var writable: UInt = 0
        for index in 0..<count {
            let header = headers[index]
            let address = base &+ UInt(header.p_vaddr)
            if header.p_type == UInt32(PT_INTERP) {
                throw SystemError("mmap", errno: ENOEXEC, subject: "a dynamically linked program")
            } else if header.p_type == UInt32(PT_GNU_RELRO) {
                protected = (address / page * page)..<((address &+ UInt(header.p_memsz)) / page * page)
            } else if header.p_type == UInt32(PT_LOAD), header.p_filesz > 0 {
                let start = address / page * page
                let end = (address &+ UInt(header.p_filesz) &+ page &- 1) / page * page
                var protection: Int32 = 0
                if header.p_flags & UInt32(PF_R) != 0 { protection |= PROT_READ }
                if header.p_flags & UInt32(PF_X) != 0 { protection |= PROT_EXEC }
                if header.p_flags & UInt32(PF_W) != 0 {
                    protection |= PROT_WRITE
                    writable += end - start
                }
                segments.append(
                    skiff_segment(
                        start: start, end: end, offset: UInt(header.p_offset) / page * page, protection: protection))
            }
        }
        let map = try open("/proc/self/pagemap", O_RDONLY)
        let length = Int(writable + page)
        guard let spare = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            spare != UnsafeMutableRawPointer(bitPattern: -1)
        else { throw SystemError("mmap", errno: skiff_errno()) }
        defer { munmap(spare, length) }
        var entries = [UInt64](repeating: 0, count: Int(writable / page) + 1)
        let raw = map.raw, number = Int32(segments.count)
        let result = skiff_remap_program(
            file, raw, &segments, number, page, spare.assumingMemoryBound(to: UInt8.self), &entries)
        if result != 0 { throw SystemError("mmap", errno: skiff_errno(), subject: path) }
        if !protected.isEmpty {
            try check("mprotect") {
                mprotect(UnsafeMutableRawPointer(bitPattern: protected.lowerBound), protected.count, PROT_READ)
            }
        }
    }

    /// The way for a process that may restore checkpoints but not raise limits: the file with all other numbers as they are.
    ///
    /// C: `prctl(PR_SET_MM_MAP)`; the numbers are fields 26 to 51 of proc_pid_stat(5).
    private static func setProgramFile(_ file: Int32) throws(SystemError) {
        let text = try readFile("/proc/self/stat", limit: 4096)
        var fields = [UInt64](repeating: 0, count: 64)
        // The name in parentheses may hold anything, further ones too; the field behind it is the third.
        var number = 2
        for byte in text[((text.lastIndex(of: UInt8(ascii: ")")) ?? 0) + 1)...] where number < fields.count {
            if byte == UInt8(ascii: " ") {
                number += 1
            } else {
                fields[number] = fields[number] &* 10 &+ UInt64(byte &- UInt8(ascii: "0"))
            }
        }
        func field(_ number: Int) -> UInt64 { fields[number] }
        var map = prctl_mm_map()
        map.start_code = field(26)
        map.end_code = field(27)
        map.start_stack = field(28)
        map.start_data = field(45)
        map.end_data = field(46)
        map.start_brk = field(47)
        map.brk = UInt64(UInt(bitPattern: sbrk(0)))
        map.arg_start = field(48)
        map.arg_end = field(49)
        map.env_start = field(50)
        map.env_end = field(51)
        map.exe_fd = UInt32(bitPattern: file)
        try check("prctl(PR_SET_MM_MAP)") {
            withUnsafePointer(to: &map) {
                skiff_prctl(
                    PR_SET_MM, UInt(PR_SET_MM_MAP), UInt(bitPattern: $0), UInt(MemoryLayout<prctl_mm_map>.size), 0)
            }
        }
    }
}
