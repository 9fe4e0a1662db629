internal import Linux

extension StreamAttachment {
    /// Tells whoever is at the other end why nothing will come: as a frame of standard error, or raw for a terminal.
    ///
    /// For a process that could not be started, before anything else was written. Never waits: the socket is fresh, and
    /// a reader that is gone is no error.
    public func report(_ text: String) {
        let bytes = Array(text.utf8)
        var message: [UInt8] = []
        if choice.framed {
            message = [2, 0, 0, 0]
            withUnsafeBytes(of: UInt32(bytes.count).bigEndian) { message.append(contentsOf: $0) }
        }
        message += bytes
        try? writeAll(descriptor.raw, message)
    }
}
