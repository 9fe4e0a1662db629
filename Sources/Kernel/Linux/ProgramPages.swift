internal import CLinux

/// The memory of this program's own file that is only read, and can be given back: it comes from the page cache when
/// touched again.
///
/// For a process that waits most of its life. What its start touched of the text would stay resident for ever, megabytes of
/// it, since the kernel maps sixteen pages around each fault. C function: `getauxval`.
public struct ProgramPages: Sendable {
    /// The page-aligned addresses of the segments nobody can write to.
    let constant: [Range<UInt>]
    /// Those that can be written to, of which only some pages ever are.
    let writable: [Range<UInt>]
    private let page: UInt

    /// Looks at the program's own headers.
    public init() {
        let page = UInt(getpagesize())
        var constant: [Range<UInt>] = []
        var writable: [Range<UInt>] = []
        if let headers = UnsafePointer<Elf64_Phdr>(bitPattern: getauxval(UInt(AT_PHDR))) {
            let count = Int(getauxval(UInt(AT_PHNUM)))
            // A program that may lie anywhere says where its headers lie; the difference is where it was put.
            var base: UInt = 0
            for index in 0..<count where headers[index].p_type == UInt32(PT_PHDR) {
                base = UInt(bitPattern: headers) &- UInt(headers[index].p_vaddr)
            }
            for index in 0..<count where headers[index].p_type == UInt32(PT_LOAD) {
                let header = headers[index]
                let start = (base &+ UInt(header.p_vaddr)) / page * page
                let end = (base &+ UInt(header.p_vaddr) &+ UInt(header.p_filesz)) / page * page
                guard start < end else { continue }
                if header.p_flags & UInt32(PF_W) == 0 {
                    constant.append(start..<end)
                } else {
                    writable.append(start..<end)
                }
            }
        }
        self.constant = constant
        self.writable = writable
        self.page = page
    }

    /// What can be given back now.
    fileprivate func vectors() -> [iovec] {
        (((try? unwritten()) ?? []) + constant).map { range in
            iovec(iov_base: UnsafeMutableRawPointer(bitPattern: range.lowerBound), iov_len: range.count)
        }
    }

    /// The pages of writable segments that nobody has written to: the kernel tells them by bit 61 of their entry in
    /// `/proc/self/pagemap`.
    ///
    /// True until something else runs. C function: `pread`.
    func unwritten() throws(SystemError) -> [Range<UInt>] {
        var runs: [Range<UInt>] = []
        let map = try open("/proc/self/pagemap", O_RDONLY)
        for range in writable {
            var entries = [UInt64](repeating: 0, count: Int(UInt(range.count) / page))
            let size = entries.count * 8
            let got = try check("pread", "/proc/self/pagemap") {
                entries.withUnsafeMutableBytes {
                    pread(map.raw, $0.baseAddress, size, off_t(range.lowerBound / page * 8))
                }
            }
            var run: UInt?
            for number in 0...(got / 8) {
                // Present, and still the file's own.
                let isUnwritten = number < got / 8 && entries[number] >> 61 & 0b101 == 0b101
                let address = range.lowerBound + UInt(number) * page
                if isUnwritten, run == nil { run = address }
                if !isUnwritten, let first = run {
                    runs.append(first..<address)
                    run = nil
                }
            }
        }
        return runs
    }
}

/// Gives back the program's code and constants, for a process that now waits for another one and ends soon after it.
///
/// Whoever waits for its end waits until the kernel has unmapped its pages, one by one; it does so here while nobody waits.
/// What is needed again is one page of 2 MiB and a few others: `CQuickStart/SealedStart.c`. C function: `madvise(MADV_DONTNEED)`.
public func releaseProgram() { skiff_release_program() }

extension Epoll {
    /// Waits as `wait` does, for nobody knows how long: with the program's pages given back first.
    ///
    /// Both happen in one C function, because anything that ran between would bring its pages back.
    /// C functions: `madvise(MADV_DONTNEED)`, `poll`.
    public func waitIdly(timeout: Int32, releasing pages: ProgramPages) {
        var watched = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
        // Only a process with one thread may do this: nothing writes between the look and the release. The first look is
        // there to be made, not to be used: whatever the runtime sets up at its first use of this code is written by then.
        var vectors = pages.vectors()
        vectors = pages.vectors()
        skiff_release_and_poll(vectors, Int32(vectors.count), &watched, timeout)
    }
}
