internal import CLinux

/// A file descriptor with exactly one owner, closed when the owner goes.
///
/// Borrow it for a call (`descriptor.raw`), consume it to hand it over (`descriptor.release()`). Every wrapper in this
/// module opens close-on-exec, so nothing crosses an `exec` that was not named.
public struct OwnedDescriptor: ~Copyable, Sendable {
    /// The number, valid as long as this value lives.
    public let raw: Int32

    /// Takes over a number that nobody else will close.
    public init(owning raw: Int32) { self.raw = raw }

    deinit { _ = CLinux.close(raw) }

    /// Gives the number away: the caller closes it.
    public consuming func release() -> Int32 {
        let raw = self.raw
        discard self
        return raw
    }

    /// A second descriptor for the same open file.
    ///
    /// C function: `fcntl(F_DUPFD_CLOEXEC)`.
    public func duplicate() throws(SystemError) -> OwnedDescriptor {
        try Linux.duplicate(raw)
    }

    /// The path by which the kernel names this open file for calls that only take paths.
    public var procPath: String { "/proc/self/fd/" + decimal(raw) }
}

/// A shared descriptor for values that must be copied, closed when the last reference goes.
public final class SharedDescriptor: Sendable {
    private let owned: OwnedDescriptor
    public init(_ owned: consuming OwnedDescriptor) { self.owned = owned }
    public var raw: Int32 { owned.raw }
    public func duplicate() throws(SystemError) -> OwnedDescriptor { try owned.duplicate() }
}

/// A close-on-exec copy of `raw`, at or above `minimum`.
///
/// C function: `fcntl(F_DUPFD_CLOEXEC)`.
public func duplicate(_ raw: Int32, atLeast minimum: Int32 = 3) throws(SystemError) -> OwnedDescriptor {
    OwnedDescriptor(
        owning: try check("fcntl(F_DUPFD_CLOEXEC)", "\(raw)") { skiff_fcntl(raw, F_DUPFD_CLOEXEC, Int(minimum)) })
}

/// Both ends of a pipe, close-on-exec.
///
/// C function: `pipe2`.
public struct Pipe: ~Copyable, Sendable {
    public let read: OwnedDescriptor
    public let write: OwnedDescriptor

    public init(flags: Int32 = 0) throws(SystemError) {
        var ends: (Int32, Int32) = (-1, -1)
        try check("pipe2") {
            withUnsafeMutablePointer(to: &ends) {
                $0.withMemoryRebound(to: Int32.self, capacity: 2) { pipe2($0, flags | O_CLOEXEC) }
            }
        }
        read = OwnedDescriptor(owning: ends.0)
        write = OwnedDescriptor(owning: ends.1)
    }

    /// Gives both ends away: the caller owns the numbers.
    public consuming func release() -> (read: Int32, write: Int32) { (read.release(), write.release()) }
}
