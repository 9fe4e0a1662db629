import DockerAPI
import Testing

@Suite struct StdcopyFrameTests {
    @Test func aFrameIsAHeaderAndItsPayload() {
        let frame = StdcopyFrame(stream: .stderr, payload: Array("oops".utf8))
        #expect(frame.bytes == [2, 0, 0, 0, 0, 0, 0, 4] + Array("oops".utf8))
        #expect(StdcopyFrame.header(.stdout, length: 0x0102_0304) == [1, 0, 0, 0, 1, 2, 3, 4])
    }

    /// Every way of cutting a stream in two gives the same output.
    @Test func framesAreFoundWhereverTheStreamIsCut() throws {
        let stream =
            StdcopyFrame(stream: .stdout, payload: Array("one".utf8)).bytes
            + StdcopyFrame(stream: .stdout, payload: []).bytes
            + StdcopyFrame(stream: .stderr, payload: Array("two".utf8)).bytes
        for cut in 0...stream.count {
            var reader = StdcopyReader()
            var out = [StdcopyFrame.Stream: [UInt8]]()
            for part in [stream[..<cut], stream[cut...]] {
                try Array(part).withUnsafeBytes { bytes in
                    try reader.read(bytes) { out[$0, default: []] += Array($1) }
                }
            }
            #expect(out == [.stdout: Array("one".utf8), .stderr: Array("two".utf8)])
            #expect(!reader.isInsideFrame)
        }
    }

    @Test func aTruncatedFrameIsNoticed() throws {
        var reader = StdcopyReader()
        try [UInt8]([1, 0, 0, 0, 0, 0, 0, 9, 65]).withUnsafeBytes { try reader.read($0) { _, _ in } }
        #expect(reader.isInsideFrame)
    }

    @Test func bytesThatAreNoFramesAreRefused() {
        var reader = StdcopyReader()
        #expect(throws: StdcopyReader.Malformed.self) {
            try Array("HTTP/1.1 200".utf8).withUnsafeBytes { try reader.read($0) { _, _ in } }
        }
    }
}
