internal import Failures
internal import Linux

/// Which group may use the daemon's local sockets.
enum SocketGroup {
    /// The named group's number, or that of `skiff` or `docker` when nobody named one; nil is root alone.
    ///
    /// Read from `/etc/group` itself: the daemon runs nothing that resolves names elsewhere.
    static func find(_ name: String?) throws(Failure) -> UInt32? {
        let text = (try? readText("/etc/group", limit: 4 << 20)) ?? ""
        if let name {
            if let number = UInt32(name) { return number }
            guard let number = number(of: name, in: text) else {
                throw Failure(.invalid, "there is no group \"\(name)\": create it, or leave --group out")
            }
            return number
        }
        return number(of: "skiff", in: text) ?? number(of: "docker", in: text)
    }

    static func number(of name: String, in text: String) -> UInt32? {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            if fields.count >= 3, fields[0] == name { return UInt32(fields[2]) }
        }
        return nil
    }
}
