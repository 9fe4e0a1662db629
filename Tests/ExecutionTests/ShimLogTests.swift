import Archive
import CLinux
import Failures
import JSON
import Linux
import OCI
import Synchronization
import Testing

@testable import Execution

/// What the real shim writes into its log files.
@Suite(.enabled(if: ShimFixture.isPossible, "needs root, busybox-static and the shim beside the tests"), .serialized)
struct ShimLogTests {
    /// The files of a log, oldest first, unpacked.
    static func files(_ path: String) throws -> [(name: String, bytes: [UInt8])] {
        var files: [(name: String, bytes: [UInt8])] = []
        for number in (0...200).reversed() {
            let name = number == 0 ? path : "\(path).\(number)"
            // One that is being packed goes once its packed form is there.
            if let bytes = try? readFile(name) {
                files.append((name, bytes))
            } else if exists(name + ".gz") {
                let packed = try open(name + ".gz", O_RDONLY)
                files.append((name + ".gz", try Decompressor(DescriptorSource(packed)).readAll(limit: 64 << 20)))
            }
        }
        return files
    }

    @Test func rotatedFilesArePackedAndHoldEveryLine() async throws {
        try await ShimFixture.with { fixture in
            let task = try await fixture.launcher.launch(
                try fixture.request("seq 1 30000") {
                    $0.log?.maximumSize = 100_000
                    $0.log?.maximumFiles = 100
                    $0.log?.compresses = true
                })
            #expect(await task.exit.code == 0)
            let files = try Self.files("\(fixture.root)/log/\(task.id)")
            let text = files.map { String(decoding: $0.bytes, as: UTF8.self) }.joined()
            let lines = try ShimTests.text(text, "stdout").split(separator: "\n").compactMap { Int($0) }
            #expect(lines == Array(1...30000))
            #expect(files.count > 3)
            // The last rotation may still be at it; all before were waited for.
            for file in files.dropLast(2) { #expect(file.name.hasSuffix(".gz")) }
            for file in files { #expect(file.bytes.count < 200_300, "\(file.name)") }
            await task.collect()
            #expect(!exists("\(fixture.root)/log/\(task.id).new"))
        }
    }

    @Test func packingThatWasInterruptedIsTakenUp() async throws {
        try await ShimFixture.with { fixture in
            let request = try fixture.request("echo new") {
                $0.log?.maximumSize = 1000
                $0.log?.maximumFiles = 5
                $0.log?.compresses = true
            }
            let path = "\(fixture.root)/log/\(request.id)"
            let old = Array("{\"log\":\"old\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:00Z\"}\n".utf8)
            try writeFile(path + ".1", old)
            try writeFile(path + ".1.gz.new", [0x1f, 0x8b])
            // A power cut in the middle of a record.
            try writeFile(path, Array("{\"log\":\"ha".utf8))
            let task = try await fixture.launcher.launch(request)
            #expect(await task.exit.code == 0)
            // The packing is nobody's to wait for: it is done some time later.
            #expect(try await comesTrue { !exists(path + ".1") })
            let files = try Self.files(path)
            #expect(files.map(\.name) == [path + ".1.gz", path])
            #expect(files[0].bytes == old)
            let lines = String(decoding: files[1].bytes, as: UTF8.self).split(separator: "\n")
            #expect(lines.count == 2 && lines[0] == "{\"log\":\"ha" && lines[1].hasPrefix("{\"log\":\"new\\n\""))
            #expect(!exists(path + ".1.gz.new"))
        }
    }

    @Test func theLocalFormIsRepairedAndAppendedTo() async throws {
        try await ShimFixture.with { fixture in
            let request = try fixture.request("echo out; echo err >&2") { $0.log?.form = .local }
            let path = "\(fixture.root)/log/\(request.id)"
            let whole: [UInt8] = [0, 0, 0, 2, 0x20, 0, 0, 0, 0, 2]
            try writeFile(path, whole + [0, 0, 0, 9, 1, 2])
            let task = try await fixture.launcher.launch(request)
            #expect(await task.exit.code == 0)
            let bytes = try readFile(path)
            #expect(bytes.starts(with: whole))
            let text = String(decoding: bytes.dropFirst(whole.count), as: UTF8.self)
            #expect(text.contains("stdout") && text.contains("out") && text.contains("stderr"))
            #expect(bytes[whole.count..<(whole.count + 3)].elementsEqual([0, 0, 0]))
            #expect(bytes[whole.count + 3] == bytes[whole.count + 7 + Int(bytes[whole.count + 3])])
        }
    }

    @Test func aBufferedLogIsWholeWhenTheEndIsTold() async throws {
        try await ShimFixture.with { fixture in
            let task = try await fixture.launcher.launch(
                try fixture.request("seq 1 30000; printf rest") { $0.log?.bufferSize = 64 << 20 })
            #expect(await task.exit.code == 0)
            let expected = (1...30000).map { "\($0)\n" }.joined() + "rest"
            #expect(try ShimTests.text(try fixture.log(task), "stdout") == expected)
        }
    }

    /// A log file that takes nothing stands for a disk that is stuck: the process writes on.
    @Test func aStuckDiskHoldsNoProcessUpWhenTheLogIsBuffered() async throws {
        try await ShimFixture.with { fixture in
            let (attachment, stream) = try StreamAttachment.pair(StreamChoice(framed: false))
            let request = try fixture.request("seq 1 100000; echo over") {
                $0.log?.bufferSize = 128 << 10
                $0.attachments = [attachment]
            }
            let path = "\(fixture.root)/log/\(request.id)"
            try check("mkfifo") { mkfifo(path, 0o600) }
            let task = try await fixture.launcher.launch(request)
            // Six megabytes of log, of which nobody takes more than a pipe's worth.
            #expect(try await Peer(stream).read(until: "over\n").hasSuffix("over\n"))
            let fifo = try open(path, O_RDONLY)
            let raw = fifo.raw
            let text = try await onThread { try String(decoding: readAll(raw, limit: 64 << 20), as: UTF8.self) }
            let lines = try ShimTests.text(text, "stdout").split(separator: "\n")
            #expect(lines.first == "1")
            #expect(lines.count < 100_000, "what did not fit was dropped")
            // Whole records only, in their order.
            let numbers = lines.compactMap { Int($0) }
            #expect(numbers.count >= lines.count - 1 && numbers == numbers.sorted())
            #expect(await task.exit.code == 0)
            await task.collect()
            #expect(await fixture.launcher.known().isEmpty)
        }
    }

    /// One reads, one never does, one takes a few bytes at a time: the first gets all, the others are cut off.
    @Test func aSlowAttacherHoldsTheOthersUpOnlyForItsPatience() async throws {
        try await ShimFixture.with { fixture in
            let (good, goodStream) = try StreamAttachment.pair(StreamChoice(framed: false))
            let (never, neverStream) = try StreamAttachment.pair(StreamChoice(framed: false, patience: 1))
            let (trickle, trickleStream) = try StreamAttachment.pair(StreamChoice(framed: false, patience: 1))
            let task = try await fixture.launcher.launch(
                try fixture.request("seq 1 300000") { $0.attachments = [good, never, trickle] })
            let dripping = Peer(trickleStream), isOver = Flag()
            let dripped = Task {
                try await onThread { () -> Int in
                    var total = 0
                    var few = [UInt8](repeating: 0, count: 64)
                    while true {
                        let count = try few.withUnsafeMutableBytes { try Linux.read(dripping.socket.raw, into: $0) }
                        total += count
                        if count == 0 { return total }
                        // Slow on purpose: that is what is cut off. What was sent before the cut is read without a pause.
                        var pause = timespec(tv_sec: 0, tv_nsec: 10_000_000)
                        if !isOver.isUp { nanosleep(&pause, nil) }
                    }
                }
            }
            let expected = (1...300_000).map { "\($0)\n" }.joined()
            #expect(try await Peer(goodStream).readToEnd() == Array(expected.utf8))
            #expect(await task.exit.code == 0)
            isOver.raise()
            #expect(try await dripped.value < expected.utf8.count)
            withExtendedLifetime(neverStream) {}
            #expect(try ShimTests.text(try fixture.log(task), "stdout") == expected)
        }
    }
}

/// Raised once, seen by another thread.
private final class Flag: Sendable {
    private let value = Atomic(false)
    var isUp: Bool { value.load(ordering: .acquiring) }
    func raise() { value.store(true, ordering: .releasing) }
}
