/// Names that nobody can guess and nobody else has.
public enum RandomID {
    /// 256 bits as 64 hexadecimal digits: what Docker's ids look like.
    public static func make() -> String {
        let text = (0..<4).map { _ in
            let digits = String(UInt64.random(in: .min ... .max), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
        // A short id of digits alone would read as a number somewhere.
        return text.prefix(12).contains { $0.isLetter } ? text : make()
    }
}
