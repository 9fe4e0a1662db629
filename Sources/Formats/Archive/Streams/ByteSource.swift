public import Failures
public import Linux

/// Something bytes can be pulled from, in order, until it ends.
///
/// Calls block, so whoever reads runs on a thread of its own or on the blocking pool. A source is used by one thread at
/// a time.
public protocol ByteSource: AnyObject {
    /// Fills some of `buffer` and says how much; 0 is the end, and stays the end.
    ///
    /// - Parameter buffer: never empty.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int
}

extension ByteSource {
    /// Fills as much of `buffer` as there is: less than all of it means that the source has ended.
    public func readFully(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        var filled = 0
        while filled < buffer.count {
            let count = try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    /// Everything that is left, refused when it is more than `limit` bytes.
    public func readAll(limit: Int) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = try block.withUnsafeMutableBytesThrowing { (buffer) throws(Failure) in try read(into: buffer) }
            if count == 0 { return bytes }
            if bytes.count + count > limit {
                throw Failure(.invalid, "more than \(limit) bytes where a short document belongs")
            }
            bytes.append(contentsOf: block[..<count])
        }
    }
}

/// Reads an open file, pipe or socket from where it stands.
public final class DescriptorSource: ByteSource {
    private let descriptor: OwnedDescriptor

    public init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        do { return try Linux.read(descriptor.raw, into: buffer) } catch {
            throw Failure(.internal, "cannot read the stream: \(error.reason)", cause: error)
        }
    }
}

/// Reads bytes that are in memory already.
public final class BytesSource: ByteSource {
    private let bytes: [UInt8]
    private var offset = 0

    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    public func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, bytes.count - offset)
        bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count])) }
        offset += count
        return count
    }
}

/// Takes bytes from a closure: the seam for anything that has no type here.
public final class ClosureSource: ByteSource {
    private let body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int

    public init(_ body: @escaping (UnsafeMutableRawBufferPointer) throws(Failure) -> Int) { self.body = body }

    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int { try body(buffer) }
}

extension Array where Element == UInt8 {
    /// `withUnsafeMutableBytes` that keeps the type of what is thrown.
    mutating func withUnsafeMutableBytesThrowing<Result>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let outcome: Swift.Result<Result, Failure> = withUnsafeMutableBytes { buffer in
            do throws(Failure) { return .success(try body(buffer)) } catch { return .failure(error) }
        }
        return try outcome.get()
    }

    /// `withUnsafeBytes` that keeps the type of what is thrown.
    func withUnsafeBytesThrowing<Result>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let outcome: Swift.Result<Result, Failure> = withUnsafeBytes { buffer in
            do throws(Failure) { return .success(try body(buffer)) } catch { return .failure(error) }
        }
        return try outcome.get()
    }
}
