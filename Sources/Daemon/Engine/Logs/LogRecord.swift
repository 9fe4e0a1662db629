/// One line (or the joined pieces of one) that a container printed.
public struct LogRecord: Sendable, Hashable {
    public enum Stream: UInt8, Sendable, Hashable {
        case stdout = 1
        case stderr = 2
    }

    public let stream: Stream
    public let time: Timestamp
    /// With the newline if the process printed one.
    public let bytes: [UInt8]
    /// What `details` shows: the log options' labels and environment.
    public let attributes: [String: String]

    public init(stream: Stream, time: Timestamp, bytes: [UInt8], attributes: [String: String] = [:]) {
        (self.stream, self.time, self.bytes, self.attributes) = (stream, time, bytes, attributes)
    }

    /// The line as Docker's logs call sends it: details and time in front where asked for.
    public func rendered(timestamps: Bool, details: Bool) -> [UInt8] {
        guard timestamps || details else { return bytes }
        var prefix = ""
        if timestamps { prefix += time.rfc3339FixedWidth + " " }
        if details {
            prefix +=
                attributes.sorted { $0.key < $1.key }
                .map { Self.escaped($0.key) + "=" + Self.escaped($0.value) }.joined(separator: ",") + " "
        }
        return Array(prefix.utf8) + bytes
    }

    /// Go's `url.QueryEscape`.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: " "): result += "+"
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.utf8.count == 1 ? "0" : "") + digits
            }
        }
        return result
    }
}
