internal import CLinux
internal import Linux

/// What CRIU wrote into its log about a failure.
enum CRIULog {
    private static let mark = Array("Error (".utf8)

    /// The lines that name errors, in their order; those that only say that everything failed are left out.
    ///
    /// ```
    /// (00.342393) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established option.
    /// (00.344935) Error (criu/cr-dump.c:2053): Dumping FAILED.
    /// ```
    ///
    /// - Parameter limit: how many of the last ones.
    static func errors(in log: [UInt8], limit: Int = 5) -> [String] {
        var lines: [String] = []
        for line in log.split(separator: UInt8(ascii: "\n")) {
            guard let start = line.indices.first(where: { line[$0...].starts(with: mark) }) else { continue }
            let error = String(decoding: line[start...].prefix(512), as: UTF8.self)
            if error.hasSuffix("FAILED.") || lines.contains(error) { continue }
            lines.append(error)
        }
        return lines.suffix(limit)
    }

    /// The sentence for a person: what failed, what CRIU said last, and where all of it is.
    static func explanation(_ failure: String, file: String, log: [UInt8]) -> String {
        ([failure] + errors(in: log)).joined(separator: "; ") + (log.isEmpty ? "" : "; all of it is in \(file)")
    }

    /// The log's end, at most 1 MiB of it; nothing where there is none.
    static func read(_ name: String, in directory: Int32) -> [UInt8] {
        guard let file = try? Linux.open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, at: directory),
            let size = try? status(of: file.raw).st_size
        else { return [] }
        var bytes = [UInt8](repeating: 0, count: min(Int(size), 1 << 20))
        let offset = Int64(size) - Int64(bytes.count), raw = file.raw
        let count = (try? bytes.withUnsafeMutableBytes { try Linux.read(raw, at: offset, into: $0) }) ?? 0
        return Array(bytes[..<count])
    }
}
