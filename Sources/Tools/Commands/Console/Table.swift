/// Rows of cells in columns, as Go's tabwriter lays them out for Docker: ten columns wide at least, three spaces between,
/// nothing after the last cell.
struct Table {
    private static let gap = 3

    /// Characters of the narrowest column, gap included.
    var minimumWidth = 10
    private(set) var rows: [[String]] = []

    init(minimumWidth: Int = 10) { self.minimumWidth = minimumWidth }

    /// A row of cells separated by tabs; text of several lines becomes several rows.
    mutating func add(_ line: String) {
        for line in line.split(separator: "\n", omittingEmptySubsequences: false) {
            rows.append(line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init))
        }
    }

    var text: String {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.dropLast().enumerated() {
                if column == widths.count { widths.append(minimumWidth) }
                widths[column] = max(widths[column], cell.count + Self.gap)
            }
        }
        var text = ""
        for row in rows {
            for (column, cell) in row.enumerated() {
                text += column == row.count - 1 ? cell : padded(cell, widths[column])
            }
            text += "\n"
        }
        return text
    }
}
