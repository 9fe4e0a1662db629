/// The fields of a text, one after another: for who goes through them once.
///
/// A list of them would cost the runtime more than what is in them: the Swift runtime makes each kind of list a type first,
/// which takes it some microseconds in each process.
public struct Fields {
    private let bytes: [UInt8]
    private let separator: UInt8
    private let end: Int
    private var start: Int

    /// - Parameters:
    ///   - range: the part of the bytes that is gone through; nil is all of them.
    ///   - separator: what stands between two fields.
    public init(_ bytes: [UInt8], in range: Range<Int>? = nil, separatedBy separator: UInt8) {
        self.bytes = bytes
        self.separator = separator
        start = range?.lowerBound ?? 0
        end = range?.upperBound ?? bytes.count
    }

    /// Where the next field is, which may be empty; nil behind the last.
    public mutating func next() -> Range<Int>? {
        guard start <= end else { return nil }
        var stop = start
        while stop < end, bytes[stop] != separator { stop += 1 }
        defer { start = stop + 1 }
        return start..<stop
    }

    /// A field's own fields.
    public func part(_ range: Range<Int>, separatedBy separator: UInt8) -> Fields {
        Fields(bytes, in: range, separatedBy: separator)
    }

    /// The next field as text; nil behind the last.
    public mutating func text() -> String? { next().map { String(decoding: bytes[$0], as: UTF8.self) } }
}
