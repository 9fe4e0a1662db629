internal import Archive
internal import Failures
internal import OCI

/// Passes bytes on and takes their digest on the way.
///
/// One thread at a time, like every source.
final class HashingSource: ByteSource {
    private let source: any ByteSource
    private var sum = SHA256Sum()
    private(set) var count: Int64 = 0

    init(_ source: any ByteSource) { self.source = source }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        let count = try source.read(into: buffer)
        sum.update(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
        self.count += Int64(count)
        return count
    }

    /// Reads what is left and gives the digest of everything.
    func finish() throws(Failure) -> Digest {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
        defer { block.deallocate() }
        while try read(into: block) > 0 {}
        return Digest(sha256: sum.finish())
    }
}
