public import Linux

/// Where making or entering a container stopped, and on what.
///
/// The child sends it over a pipe as one small record; whoever shows it to a person adds what the person asked for.
public struct RuntimeFailure: Error, Sendable, Hashable {
    /// The steps, in the order in which they are taken.
    public enum Stage: UInt8, Sendable, Hashable, CaseIterable {
        case specification = 1, cgroup, namespaces, rootfs, mounts, devices, console, hostname, sysctl, masks
        case user, limits, capabilities, seccomp, workingDirectory, hooks, exec, checkpoint
    }

    public let stage: Stage
    /// The kernel's reason; 0 where no system call failed.
    public let errno: Int32
    /// The call and what it was about, or a sentence.
    public let message: String

    public init(_ stage: Stage, _ message: String, errno: Int32 = 0) {
        self.stage = stage
        self.message = message
        self.errno = errno
    }

    public init(_ stage: Stage, _ error: SystemError) {
        // A path of many KiB must not push the reason out of the message.
        let subject = error.subject.map { $0.utf8.count > 2048 ? String($0.prefix(1024)) + "…" : $0 }
        self.init(stage, (subject.map(error.about) ?? error).description, errno: error.errno)
    }
}

extension RuntimeFailure: CustomStringConvertible {
    public var description: String {
        switch stage {
        case .specification, .exec, .hooks, .checkpoint: message
        case .cgroup: "set up cgroup: \(message)"
        case .namespaces: "enter namespaces: \(message)"
        case .rootfs: "prepare root file system: \(message)"
        case .mounts: "mount: \(message)"
        case .devices: "make devices: \(message)"
        case .console: "set up terminal: \(message)"
        case .hostname: "set host name: \(message)"
        case .sysctl: "set kernel parameter: \(message)"
        case .masks: "mask paths: \(message)"
        case .user: "become user: \(message)"
        case .limits: "set limits: \(message)"
        case .capabilities: "set capabilities: \(message)"
        case .seccomp: "install system call filter: \(message)"
        case .workingDirectory: "change to working directory: \(message)"
        }
    }
}

// MARK: On the wire: stage, error number (4 bytes, little endian), UTF-8 text

extension RuntimeFailure {
    var record: [UInt8] {
        var bytes = [stage.rawValue]
        for shift in stride(from: 0, to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: errno >> Int32(shift))) }
        // The record has to fit in one datagram whatever path the message quotes.
        return bytes + Array(message.utf8.prefix(4096))
    }

    init?(record: [UInt8]) {
        guard record.count >= 5, let stage = Stage(rawValue: record[0]) else { return nil }
        var number: UInt32 = 0
        for index in 0..<4 { number |= UInt32(record[1 + index]) << UInt32(8 * index) }
        self.init(stage, String(decoding: record[5...], as: UTF8.self), errno: Int32(bitPattern: number))
    }
}

/// Runs kernel calls of one step, so that a failure names the step.
@discardableResult
func step<Value: ~Copyable>(
    _ stage: RuntimeFailure.Stage, _ body: () throws(SystemError) -> Value
) throws(RuntimeFailure) -> Value {
    do { return try body() } catch { throw RuntimeFailure(stage, error) }
}
