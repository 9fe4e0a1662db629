/// Finds what a mistyped word was meant to be.
public enum Spelling {
    /// The candidate at most two edits away, if one is nearest.
    static func suggestion(for word: String, among candidates: [String]) -> String? {
        guard word.utf8.count <= 64 else { return nil }
        let close = candidates.map { ($0, distance(Array(word.utf8), Array($0.utf8))) }
            .filter { $0.1 <= 2 && $0.1 < max($0.0.utf8.count, word.utf8.count) }
        return close.min { $0.1 < $1.1 }?.0
    }

    /// " (did you mean x?)", or nothing.
    public static func hint(for word: String, among candidates: [String]) -> String {
        suggestion(for: word, among: candidates).map { " (did you mean \($0)?)" } ?? ""
    }

    /// How many letters must be put in, left out, replaced or swapped with their neighbour.
    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var before: [Int] = []
        var last = Array(0...b.count)
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var best = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, before[j - 1] + 1) }
                row.append(best)
            }
            before = last
            last = row
        }
        return last[b.count]
    }
}
