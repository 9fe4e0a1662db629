internal import CLinux

/// The memory of this program's own file that is only read, and can be given back: it comes from the page cache when
/// touched again.
///
/// For a process that waits most of its life. What its start touched of the text would stay resident for ever, megabytes of
/// it, since the kernel maps sixteen pages around each fault. C function: `getauxval`.
public struct ProgramPages: Sendable {
    /// The page-aligned addresses of the segments nobody can write to.
    let ranges: [Range<UInt>]

    /// Looks at the program's own headers.
    public init() {
        let page = UInt(getpagesize())
        var ranges: [Range<UInt>] = []
        if let headers = UnsafePointer<Elf64_Phdr>(bitPattern: getauxval(UInt(AT_PHDR))) {
            let count = Int(getauxval(UInt(AT_PHNUM)))
            // A program that may lie anywhere says where its headers lie; the difference is where it was put.
            var base: UInt = 0
            for index in 0..<count where headers[index].p_type == UInt32(PT_PHDR) {
                base = UInt(bitPattern: headers) &- UInt(headers[index].p_vaddr)
            }
            for index in 0..<count where headers[index].p_type == UInt32(PT_LOAD) {
                let header = headers[index]
                guard header.p_flags & UInt32(PF_W) == 0 else { continue }
                let start = (base &+ UInt(header.p_vaddr)) / page * page
                let end = (base &+ UInt(header.p_vaddr) &+ UInt(header.p_filesz)) / page * page
                if start < end { ranges.append(start..<end) }
            }
        }
        self.ranges = ranges
    }
}

extension Epoll {
    /// Waits as `wait` does, for nobody knows how long: with the program's pages given back first.
    ///
    /// Both happen in one C function, because anything that ran between would bring its pages back.
    /// C functions: `madvise(MADV_DONTNEED)`, `poll`.
    public func waitIdly(timeout: Int32, releasing pages: ProgramPages) {
        var watched = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
        for range in pages.ranges.dropLast() {
            madvise(UnsafeMutableRawPointer(bitPattern: range.lowerBound), range.count, MADV_DONTNEED)
        }
        let last = pages.ranges.last ?? 0..<0
        skiff_release_and_poll(
            UnsafeMutableRawPointer(bitPattern: last.lowerBound), last.count, &watched, timeout)
    }
}
