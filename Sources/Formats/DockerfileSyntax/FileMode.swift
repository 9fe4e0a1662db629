/// The `--chmod` of COPY and ADD: an octal number, or changes as `chmod` takes them, `u=rwX,go=rX`.
public struct FileMode: Hashable, Sendable {
    private enum Form: Hashable { case absolute(UInt16), changes([Change]) }
    private struct Change: Hashable {
        var who: UInt16
        var operation: UInt8
        var bits: UInt16
        var executeIfUseful: Bool
    }

    private let form: Form

    public init?(_ text: String) {
        if let first = text.utf8.first, ASCII.isDigit(first) {
            guard let mode = UInt16(text, radix: 8), mode <= 0o7777 else { return nil }
            form = .absolute(mode)
            return
        }
        var changes: [Change] = []
        for clause in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let parsed = Self.changes(Array(clause.utf8)) else { return nil }
            changes += parsed
        }
        form = .changes(changes)
    }

    /// What becomes of a file's permission bits.
    public func applied(to mode: UInt16, isDirectory: Bool) -> UInt16 {
        switch form {
        case .absolute(let absolute): return absolute
        case .changes(let changes):
            return changes.reduce(mode & 0o7777) { mode, change in
                var bits = change.bits
                if change.executeIfUseful, isDirectory || mode & 0o111 != 0 { bits |= 0o111 }
                bits &= change.who
                switch change.operation {
                case UInt8(ascii: "+"): return mode | bits
                case UInt8(ascii: "-"): return mode & ~bits
                default: return mode & ~(change.who & 0o777) | bits
                }
            }
        }
    }

    private static func changes(_ clause: [UInt8]) -> [Change]? {
        var at = 0
        var who: UInt16 = 0
        scan: while at < clause.count {
            switch clause[at] {
            case UInt8(ascii: "u"): who |= 0o4700
            case UInt8(ascii: "g"): who |= 0o2070
            case UInt8(ascii: "o"): who |= 0o1007
            case UInt8(ascii: "a"): who |= 0o7777
            default: break scan
            }
            at += 1
        }
        if who == 0 { who = 0o7777 }
        var changes: [Change] = []
        while at < clause.count {
            guard "+-=".utf8.contains(clause[at]) else { return nil }
            var change = Change(who: who, operation: clause[at], bits: 0, executeIfUseful: false)
            at += 1
            while at < clause.count, !"+-=".utf8.contains(clause[at]) {
                switch clause[at] {
                case UInt8(ascii: "r"): change.bits |= 0o444
                case UInt8(ascii: "w"): change.bits |= 0o222
                case UInt8(ascii: "x"): change.bits |= 0o111
                case UInt8(ascii: "X"): change.executeIfUseful = true
                case UInt8(ascii: "s"): change.bits |= 0o6000
                case UInt8(ascii: "t"): change.bits |= 0o1000
                default: return nil
                }
                at += 1
            }
            changes.append(change)
        }
        return changes.isEmpty ? nil : changes
    }
}
