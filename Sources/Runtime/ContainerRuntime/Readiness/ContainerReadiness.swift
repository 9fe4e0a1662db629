internal import CLinux
internal import Linux

/// The socket at which a container says that it is ready.
///
/// Of what comes only the line `READY=1` is looked at, as runc and crun do: process numbers mean others outside, and
/// descriptors, watchdogs and names are between a manager and its own services. Whatever came along is closed, which answers
/// a barrier of the container's too (sd_notify_barrier(3)).
public struct ContainerReadiness: Sendable {
    /// Its name in its folder.
    static let name = "notify"

    private let socket: SharedDescriptor
    private var wasSaid = false

    /// Readable when something has come.
    public var raw: Int32 { socket.raw }

    /// - Parameter folder: where ``ServiceManager/introduce(to:from:)`` had it from.
    /// - Returns: nil where there is no such folder, since the container was made without a manager.
    public init?(in folder: String) throws(RuntimeFailure) {
        let opened = try step(.exec) { () throws(SystemError) -> SharedDescriptor? in
            do throws(SystemError) { return SharedDescriptor(try open(folder, O_PATH | O_DIRECTORY)) } catch {
                if error.errno == ENOENT { return nil }
                throw error
            }
        }
        guard let opened else { return nil }
        socket = try step(.exec) { () throws(SystemError) in
            // Whoever the program runs as may say it: nobody else can reach the folder.
            SharedDescriptor(try receiveDatagrams(in: opened.raw, Self.name, mode: 0o666))
        }
    }

    /// Reads what has come.
    ///
    /// - Returns: whether it has said now, and not before, that it is ready.
    public mutating func readMessages() -> Bool {
        var says = false
        // Not for ever: whoever writes without an end is answered bit by bit.
        for _ in 0..<64 {
            do throws(SystemError) {
                // NOTIFY_BUFFER_MAX of systemd's is as long.
                guard let message = try receiveMessage(raw, limit: 4096) else { continue }
                says = says || Self.saysReady(message.bytes)
            } catch {
                if error.errno != EMSGSIZE { break }
            }
        }
        defer { wasSaid = wasSaid || says }
        return says && !wasSaid
    }

    static func saysReady(_ message: [UInt8]) -> Bool {
        message.split(separator: UInt8(ascii: "\n")).contains { $0.elementsEqual("READY=1".utf8) }
    }
}
