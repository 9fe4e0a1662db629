/// RFC 4648 with padding, in both alphabets.
enum Base64 {
    private static let standard = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let url = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func encode(_ bytes: [UInt8], urlSafe: Bool = false) -> String {
        let alphabet = urlSafe ? url : standard
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var at = 0
        while at < bytes.count {
            let rest = bytes.count - at
            let group =
                Int(bytes[at]) << 16 | (rest > 1 ? Int(bytes[at + 1]) << 8 : 0) | (rest > 2 ? Int(bytes[at + 2]) : 0)
            text.append(alphabet[group >> 18 & 63])
            text.append(alphabet[group >> 12 & 63])
            text.append(rest > 1 ? alphabet[group >> 6 & 63] : UInt8(ascii: "="))
            text.append(rest > 2 ? alphabet[group & 63] : UInt8(ascii: "="))
            at += 3
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil for anything that is not base64 in one of the alphabets.
    static func decode(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits = 0
        var group = 0
        for byte in text.utf8 where byte != UInt8(ascii: "=") {
            guard let value = standard.firstIndex(of: byte) ?? url.firstIndex(of: byte) else { return nil }
            group = group << 6 | value
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(group >> bits & 0xFF))
                group &= (1 << bits) - 1
            }
        }
        return bits < 6 && group == 0 ? bytes : nil
    }
}
