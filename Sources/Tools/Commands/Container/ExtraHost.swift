internal import Failures
internal import Linux

/// What `--add-host` says: `name:address` or `name=address`, an IPv6 address with or without brackets.
struct ExtraHost: Sendable, Hashable {
    let name: String
    let address: String

    init(parsing text: String) throws(Failure) {
        guard let separator = text.firstIndex(where: { $0 == "=" || $0 == ":" }), separator != text.startIndex else {
            throw Failure(.invalid, "bad format for add-host: \"\(text)\"")
        }
        name = String(text[..<separator])
        var address = text[text.index(after: separator)...]
        if address.hasPrefix("["), address.hasSuffix("]") { address = address.dropFirst().dropLast() }
        // The engine knows the address that this word stands for.
        guard address == "host-gateway" || isInternetAddress(String(address)) else {
            throw Failure(.invalid, "invalid IP address in add-host: \"\(address)\"")
        }
        self.address = String(address)
    }

    /// As the API takes it.
    var entry: String { "\(name):\(address)" }
}
