public import Failures
public import Linux

/// Something bytes can be pushed into, in order.
///
/// Calls block, so whoever writes runs on a thread of its own or on the blocking pool. A sink is used by one thread at
/// a time.
public protocol ByteSink: AnyObject {
    /// Takes all of `bytes`.
    func write(_ bytes: UnsafeRawBufferPointer) throws(Failure)

    /// Writes what is still held back, and what marks the end. Nothing may follow.
    func finish() throws(Failure)
}

extension ByteSink {
    /// Takes all of `bytes`.
    public func write(_ bytes: [UInt8]) throws(Failure) {
        try bytes.withUnsafeBytesThrowing { (buffer) throws(Failure) in try write(buffer) }
    }
}

/// Writes to an open file, pipe or socket from where it stands.
public final class DescriptorSink: ByteSink {
    private let descriptor: OwnedDescriptor

    public init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

    public func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        do { try Linux.writeAll(descriptor.raw, bytes) } catch {
            throw Failure(.internal, "cannot write the stream: \(error.reason)", cause: error)
        }
    }

    public func finish() {}
}

/// Collects bytes in memory.
public final class BytesSink: ByteSink {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    public func write(_ bytes: UnsafeRawBufferPointer) { self.bytes.append(contentsOf: bytes) }

    public func finish() {}
}

/// Hands bytes to a closure: the seam for anything that has no type here.
///
/// The buffer is only valid during the call.
public final class ClosureSink: ByteSink {
    private let body: (UnsafeRawBufferPointer) throws(Failure) -> Void

    public init(_ body: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void) { self.body = body }

    public func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) { try body(bytes) }

    public func finish() {}
}
