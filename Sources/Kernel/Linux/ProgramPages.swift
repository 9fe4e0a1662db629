internal import CLinux

/// Gives back the memory of this program's own file that was only read: it comes back from the page cache when touched.
///
/// For a process that waits most of its life: what its start touched of the text and of constant data (megabytes, since the
/// kernel maps sixteen pages around each fault) would stay resident for ever. Pages that were written are kept; the kernel
/// tells them apart by bit 61 of their entry in `/proc/self/pagemap`. Only for a process with one thread.
/// C functions: `getauxval`, `madvise(MADV_DONTNEED)`.
public func releaseProgramPages() throws(SystemError) {
    let page = UInt(getpagesize())
    guard let headers = UnsafePointer<Elf64_Phdr>(bitPattern: getauxval(UInt(AT_PHDR))) else { return }
    let count = Int(getauxval(UInt(AT_PHNUM)))
    // A program that may lie anywhere says where its headers lie; the difference is where it was put.
    var base: UInt = 0
    for index in 0..<count where headers[index].p_type == UInt32(PT_PHDR) {
        base = UInt(bitPattern: headers) &- UInt(headers[index].p_vaddr)
    }
    let map = try open("/proc/self/pagemap", O_RDONLY)
    for index in 0..<count where headers[index].p_type == UInt32(PT_LOAD) {
        let header = headers[index]
        let start = (base &+ UInt(header.p_vaddr)) / page * page
        let end = (base &+ UInt(header.p_vaddr) &+ UInt(header.p_filesz)) / page * page
        guard start < end else { continue }
        var entries = [UInt64](repeating: 0, count: Int((end - start) / page))
        let size = entries.count * 8
        let got = try check("pread", "/proc/self/pagemap") {
            entries.withUnsafeMutableBytes { pread(map.raw, $0.baseAddress, size, off_t(start / page * 8)) }
        }
        var run: UInt?
        for number in 0...(got / 8) {
            // Present, and still the file's own.
            let clean = number < got / 8 && entries[number] >> 61 & 0b101 == 0b101
            let address = start + UInt(number) * page
            if clean, run == nil { run = address }
            if !clean, let first = run {
                madvise(UnsafeMutableRawPointer(bitPattern: first), Int(address - first), MADV_DONTNEED)
                run = nil
            }
        }
    }
}
