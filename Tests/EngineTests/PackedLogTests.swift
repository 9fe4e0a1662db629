import Archive
import Execution
import Linux
import Synchronization
import Testing

@testable import Engine

/// Logs with files that were packed, and logs of the `local` driver.
@Suite struct PackedLogTests {
    private func lines(_ range: ClosedRange<Int>, _ form: LogSettings.Form) -> [[UInt8]] {
        range.map {
            form == .local
                ? LogFolder.message("line \($0)", second: $0) : LogFolder.line("line \($0)\n", second: $0)
        }
    }

    private func texts(_ range: ClosedRange<Int>) -> [String] { range.map { "line \($0)\n" } }

    /// Three files: packed, packed, and the one being written.
    private func folder(_ form: LogSettings.Form) throws -> LogFolder {
        let folder = try LogFolder()
        try folder.write(lines(1...3, form), number: 2)
        try folder.write(lines(4...6, form), number: 1)
        try folder.write(lines(7...9, form))
        try folder.pack(1)
        try folder.pack(2)
        return folder
    }

    @Test(arguments: [LogSettings.Form.jsonFile, .local]) func packedFilesAreReadAsIfTheyWerePlain(
        _ form: LogSettings.Form
    ) throws {
        let folder = try folder(form)
        #expect(try folder.read(form: form) == texts(1...9))
        for tail in 1...12 {
            #expect(try folder.read(LogRequest(tail: tail), form: form) == texts(max(1, 10 - tail)...9), "tail \(tail)")
        }
        #expect(try folder.read(LogRequest(tail: 0), form: form) == [])
        let bounded = LogRequest(
            since: Timestamp(nanoseconds: 3_000_000_000), until: Timestamp(nanoseconds: 5_000_000_000))
        #expect(try folder.read(bounded, form: form) == texts(3...5))
    }

    @Test func aTailOfTheLocalDriverWalksOverManyBlocks() throws {
        let folder = try LogFolder()
        let long = String(repeating: "y", count: 70_000)
        try folder.write(
            (1...3000).map { LogFolder.message($0 == 2990 ? long : "x \($0)", second: $0) })
        for tail in [1, 5, 11, 12, 999, 2999, 3000, 4000] {
            let read = try folder.read(LogRequest(tail: tail), form: .local)
            #expect(read.count == min(tail, 3000))
            #expect(read.last == "x 3000\n")
        }
    }

    @Test func partsAreJoinedAndTheLastLineKeepsItsLack() throws {
        let folder = try LogFolder()
        let piece = String(repeating: "x", count: 16 << 10)
        try folder.write([
            LogFolder.message(piece, second: 1, part: [0x18, 1]), LogFolder.message("e", second: 1, stream: "stderr"),
            LogFolder.message("end", second: 1, part: [0x08, 1, 0x18, 2]), LogFolder.message("", second: 2),
            LogFolder.message("prompt> ", second: 3, part: [0x18, 1]),
        ])
        #expect(try folder.read(form: .local) == ["e\n", piece + "end\n", "\n", "prompt> "])
        #expect(try folder.read(LogRequest(tail: 1), form: .local) == ["prompt> "])
        #expect(try folder.read(LogRequest(tail: 2), form: .local) == ["\n", "prompt> "])
    }

    @Test func aReaderKeepsItsPlaceWhileItsFileIsPacked() throws {
        for form in [LogSettings.Form.jsonFile, .local] {
            let folder = try LogFolder()
            var file = LogFile(path: folder.log, form: form, request: LogRequest())
            func texts() throws -> [String] {
                try file.read(atEnd: false).map { String(decoding: $0.bytes, as: UTF8.self) }
            }
            try folder.append(lines(1...2, form))
            #expect(try texts() == self.texts(1...2))
            try folder.append(lines(3...3, form))
            try folder.rotate()
            try folder.append(lines(4...4, form))
            try folder.pack(1)
            try folder.rotate()
            try folder.append(lines(5...5, form))
            // Its own file is number 2 and packed, the next one plain, then packed before it is reached.
            #expect(try texts() == self.texts(3...5))
            try folder.pack(1)
            try folder.append(lines(6...6, form))
            #expect(try texts() == self.texts(6...6))
        }
    }

    @Test func aDamagedPackedFileIsShownAsFarAsItGoes() throws {
        let folder = try folder(.jsonFile)
        var bytes = try readFile(folder.log + ".1.gz")
        bytes.removeLast(bytes.count / 2)
        try writeFile(folder.log + ".1.gz", bytes)
        let read = try folder.read()
        #expect(read.prefix(3) == texts(1...3)[...] && read.suffix(3) == texts(7...9)[...])
    }

    @Test func whatDoesNotFitEndsALocalFileAndNotTheLog() throws {
        let folder = try LogFolder()
        var broken = LogFolder.message("b", second: 2)
        broken[broken.count - 1] ^= 1
        try folder.write([LogFolder.message("a", second: 1), broken, LogFolder.message("c", second: 3)], number: 1)
        try folder.write([LogFolder.message("d", second: 4), [0xff, 0xff, 0xff, 0xff, 1, 2, 3]])
        #expect(try folder.read(form: .local) == ["a\n", "d\n"])
        #expect(try folder.read(LogRequest(tail: 3), form: .local).isEmpty == false)
    }

    /// One thread writes, rotates and packs as fast as it can while another follows: not a line is lost or seen twice.
    @Test(arguments: [LogSettings.Form.jsonFile, .local]) func followingLosesNothingWhileFilesMove(
        _ form: LogSettings.Form
    ) async throws {
        let folder = try LogFolder()
        let (path, all) = (folder.path, 1...1200)
        let isWritten = Flag()
        try folder.append(lines(1...1, form))
        var file = LogFile(path: folder.log, form: form, request: LogRequest(follow: true))
        try startThread {
            let writer = LogFolder(borrowing: path)
            for number in all.dropFirst() {
                try? writer.append(self.lines(number...number, form))
                // Enough numbers that no file is rotated out of existence while it is wanted.
                if number % 7 == 0 { try? writer.rotate(1000) }
                if number % 21 == 0 { try? writer.pack(1) }
            }
            isWritten.raise()
        }
        var seen: [String] = []
        while true {
            let isOver = isWritten.isUp
            let records = try file.read(atEnd: isOver)
            seen += records.map { String(decoding: $0.bytes, as: UTF8.self) }
            if isOver, records.isEmpty { break }
            await Task.yield()
        }
        #expect(seen == texts(all))
    }
}

/// Raised once, seen by another thread.
private final class Flag: Sendable {
    private let value = Atomic(false)
    var isUp: Bool { value.load(ordering: .acquiring) }
    func raise() { value.store(true, ordering: .releasing) }
}
