internal import DockerAPI
internal import Engine
internal import HTTPServer
internal import NIOCore
internal import NIOHTTP1

/// How the bytes of a process look on a connection.
enum RawStream {
    static let raw = "application/vnd.docker.raw-stream"
    static let multiplexed = "application/vnd.docker.multiplexed-stream"

    /// The content type for a stream: frames have had their own name since API 1.42, for clients that upgrade.
    static func contentType(tty: Bool, version: APIVersion, upgraded: Bool = true) -> String {
        !tty && upgraded && version >= APIVersion(1, 42) ? multiplexed : raw
    }

    /// The head that hands a connection over: `101 UPGRADED` to a client that offered, `200 OK` to one that just waits.
    static func head(_ exchange: Exchange, tty: Bool, bare: Bool) -> Reply {
        let upgraded = exchange.request.upgrade != nil
        let type = contentType(tty: tty, version: exchange.version, upgraded: upgraded)
        var headers: HTTPHeaders = ["Content-Type": type]
        if upgraded {
            headers.add(name: "Connection", value: "Upgrade")
            headers.add(name: "Upgrade", value: "tcp")
        }
        if bare { headers.add(name: Dispatcher.bareHeader, value: "1") }
        return Reply(upgraded ? .custom(code: 101, reasonPhrase: "UPGRADED") : .ok, headers: headers)
    }

    /// A log record as it goes out: a frame, or just its bytes for a terminal.
    static func append(_ record: LogRecord, timestamps: Bool, details: Bool, tty: Bool, to buffer: inout ByteBuffer) {
        let bytes = record.rendered(timestamps: timestamps, details: details)
        if !tty {
            let stream: StdcopyFrame.Stream = record.stream == .stdout ? .stdout : .stderr
            buffer.writeBytes(StdcopyFrame.header(stream, length: bytes.count))
        }
        buffer.writeBytes(bytes)
    }
}
