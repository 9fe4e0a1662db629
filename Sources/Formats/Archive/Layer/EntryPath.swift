internal import Failures
internal import Linux

/// An archive's name taken apart into components that can be handed to the kernel as C strings, in reused memory.
///
/// `/a`, `./a` and `a//.` are one name: what distinguishes them may not make two files. `..` is refused: no tool writes it.
struct EntryPath {
    /// The components, each with a final zero.
    private(set) var bytes: [UInt8] = []
    /// Where each component starts.
    private(set) var starts: [Int] = []

    var count: Int { starts.count }
    var isEmpty: Bool { starts.isEmpty }

    /// Takes another name.
    mutating func assign(_ name: [UInt8], limits: ArchiveLimits) throws(Failure) {
        bytes.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
        var at = 0
        while at < name.count {
            var end = at
            while end < name.count, name[end] != 0x2f { end += 1 }
            let length = end - at
            let isDot = length == 1 && name[at] == 0x2e
            if length == 2, name[at] == 0x2e, name[at + 1] == 0x2e {
                throw Failure(.invalid, "the archive entry \(printable(name)) leads out of its directory")
            }
            if length > 0, !isDot {
                guard length <= 255 else {
                    throw Failure(.invalid, "a name in the archive entry \(printable(name)) is too long")
                }
                starts.append(bytes.count)
                bytes.append(contentsOf: name[at..<end])
                bytes.append(0)
            }
            at = end + 1
        }
        guard starts.count <= limits.depth else {
            throw Failure(
                .invalid, "the archive entry \(printable(name)) is more than \(limits.depth) directories deep")
        }
    }

    /// Bytes of a component without its zero.
    func component(_ index: Int) -> ArraySlice<UInt8> {
        bytes[starts[index]..<(index + 1 < starts.count ? starts[index + 1] : bytes.count) - 1]
    }

    var last: ArraySlice<UInt8> { component(count - 1) }

    /// Lends a component to the kernel.
    func withComponent<Result>(
        _ index: Int, _ body: (UnsafePointer<CChar>) throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        try withCString(bytes[starts[index]...], body)
    }

    /// The first `count` components with slashes between, and a final zero.
    func joined(_ count: Int) -> [UInt8] {
        guard count > 0 else { return [0x2e, 0] }
        var joined = Array(bytes[..<(count < starts.count ? starts[count] : bytes.count)])
        for start in starts[..<count].dropFirst() { joined[start - 1] = 0x2f }
        return joined
    }

    /// How many leading components are the same.
    func sharedPrefix(with other: EntryPath, atMost limit: Int) -> Int {
        var shared = 0
        while shared < min(limit, count, other.count), component(shared) == other.component(shared) { shared += 1 }
        return shared
    }
}

/// Lends bytes that hold a final zero as a C string.
func withCString<Result>(
    _ terminated: ArraySlice<UInt8>, _ body: (UnsafePointer<CChar>) throws(SystemError) -> Result
) throws(SystemError) -> Result {
    let outcome: Swift.Result<Result, SystemError> = terminated.withUnsafeBytes { buffer in
        guard let pointer = buffer.assumingMemoryBound(to: CChar.self).baseAddress else {
            return .failure(SystemError("open", errno: 2))
        }
        do throws(SystemError) { return .success(try body(pointer)) } catch { return .failure(error) }
    }
    return try outcome.get()
}
