internal import CLinux
public import Linux

extension ContainerLaunch {
    /// Begins the new network namespace of a container before its document is understood, where that seems to ask for one.
    ///
    /// What it has to be guessed by is in the text: a namespace "network" without a path, and none of "user", which it would have
    /// to belong to. Who guesses wrong has made one for nothing: the launch looks at what the document says.
    ///
    /// - Parameter text: the document, whole.
    public static func beginNetwork(for text: [UInt8]) -> NetworkUnderway {
        seemsToOwnNetwork(text) ? .begin() : NetworkUnderway()
    }

    static func seemsToOwnNetwork(_ text: [UInt8]) -> Bool {
        text.withUnsafeBytes { text in
            guard let network = find("\"network\"", in: text[...]) else { return false }
            // The object it is in, which has none of its own within.
            let start = text[..<network.lowerBound].lastIndex(of: UInt8(ascii: "{")) ?? text.startIndex
            let end = text[network.upperBound...].firstIndex(of: UInt8(ascii: "}")) ?? text.endIndex
            if find("\"path\"", in: text[start..<end]) != nil { return false }
            var at = text.startIndex
            while let user = find("\"user\"", in: text[at...]) {
                at = user.upperBound
                // A member of that name is somebody else's: the process has one.
                let next = text[at...].first { $0 > UInt8(ascii: " ") }
                if next != UInt8(ascii: ":") { return false }
            }
            return true
        }
    }

    private static func find(_ word: StaticString, in text: Slice<UnsafeRawBufferPointer>) -> Range<Int>? {
        guard let start = UnsafeRawBufferPointer(rebasing: text).baseAddress,
            let found = memmem(start, text.count, word.utf8Start, word.utf8CodeUnitCount)
        else { return nil }
        let lower = text.startIndex + start.distance(to: UnsafeRawPointer(found))
        return lower..<lower + word.utf8CodeUnitCount
    }
}
