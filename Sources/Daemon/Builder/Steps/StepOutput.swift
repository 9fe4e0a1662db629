internal import Execution
internal import Linux

/// Reads what a step's process writes and hands it on in pieces, until the last writer is gone.
enum StepOutput {
    /// Bytes that are handed on at once; more in one frame come as several pieces.
    private static let chunk = 32 << 10

    /// Reads the stream on a thread of its own: a process may write for hours.
    static func drain(_ stream: AttachedStream, emit: @escaping @Sendable (BuildEvent.Stream, [UInt8]) -> Void) async {
        let raw = stream.take()
        guard raw >= 0 else { return }
        let socket = SharedDescriptor(OwnedDescriptor(owning: raw))
        await withCheckedContinuation { continuation in
            do {
                try startThread {
                    // What the process wrote last counts, however the stream ends.
                    try? read(socket, emit)
                    continuation.resume()
                }
            } catch { continuation.resume() }
        }
    }

    /// Frames: a byte for the stream, three zeros, the length in four bytes, the bytes.
    private static func read(_ socket: SharedDescriptor, _ emit: (BuildEvent.Stream, [UInt8]) -> Void)
        throws(SystemError)
    {
        // A character that a write, or a chunk, has cut in two waits for its end: progress is text.
        var held: [BuildEvent.Stream: [UInt8]] = [:]
        defer { for (stream, bytes) in held where !bytes.isEmpty { emit(stream, bytes) } }
        while true {
            let header = try take(8, from: socket)
            guard header.count == 8 else { return }
            let stream: BuildEvent.Stream = header[0] == 2 ? .stderr : .stdout
            var left = header[4...].reduce(0) { $0 << 8 | Int($1) }
            while left > 0 {
                let bytes = try take(min(left, chunk), from: socket)
                guard !bytes.isEmpty else { return }
                left -= bytes.count
                let all = (held[stream] ?? []) + bytes
                let whole = all.count - cutCharacter(all)
                held[stream] = Array(all[whole...])
                if whole > 0 { emit(stream, Array(all[..<whole])) }
            }
        }
    }

    /// How many bytes at the end begin a UTF-8 character that is not whole: at most three.
    static func cutCharacter(_ bytes: [UInt8]) -> Int {
        for back in 1...3 where back <= bytes.count {
            let byte = bytes[bytes.count - back]
            if byte & 0xc0 == 0x80 { continue }
            let length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
            return length > back ? back : 0
        }
        return 0
    }

    private static func take(_ count: Int, from socket: SharedDescriptor) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let outcome: Result<Int, SystemError> = bytes.withUnsafeMutableBytes { buffer in
                do throws(SystemError) {
                    return .success(
                        try Linux.read(socket.raw, into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])))
                } catch { return .failure(error) }
            }
            let got = try outcome.get()
            if got == 0 { break }
            filled += got
        }
        bytes.removeLast(count - filled)
        return bytes
    }
}
