internal import CLinux
public import EngineClient
internal import Linux

/// Listens on a local socket and gives each connection to a body: an engine as the test wants it.
public final class FakeEngine: Sendable {
    public let endpoint: Endpoint
    private let path: String
    private let listener: SharedDescriptor

    public init(_ body: @escaping @Sendable (_ socket: Int32) -> Void) throws {
        path = "/tmp/skiff-fake-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).sock"
        endpoint = .unix(path: path)
        let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        listener = SharedDescriptor(OwnedDescriptor(owning: raw))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        try check("bind", path) { skiff_bind_local(raw, &address, length) }
        try check("listen", path) { listen(raw, 8) }
        let listener = listener
        try startThread {
            while true {
                let connection = skiff_accept(listener.raw, Int32(SOCK_CLOEXEC.rawValue))
                if connection < 0 { return }
                try? startThread {
                    let owned = OwnedDescriptor(owning: connection)
                    body(owned.raw)
                }
            }
        }
    }

    deinit {
        shutDown(listener.raw, reading: true, writing: true)
        try? unlink(path)
    }

    public func client() -> EngineClient { EngineClient(endpoint: endpoint, userAgent: "test") }

    /// Reads up to the empty line that ends a request's head.
    public static func head(_ socket: Int32) -> String {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while !bytes.suffix(4).elementsEqual([13, 10, 13, 10]), CLinux.read(socket, &byte, 1) == 1 {
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    public static func send(_ socket: Int32, _ text: String) { try? writeAll(socket, text) }

    /// An answer with a body of known length.
    public static func answer(_ socket: Int32, _ status: String, _ body: String = "") {
        send(
            socket,
            "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    /// The body that a head announces by its length.
    public static func body(_ socket: Int32, _ head: String) -> String {
        let line = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
        let length = line.flatMap { Int($0.dropFirst(16)) } ?? 0
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while bytes.count < length, CLinux.read(socket, &byte, 1) == 1 { bytes.append(byte) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
