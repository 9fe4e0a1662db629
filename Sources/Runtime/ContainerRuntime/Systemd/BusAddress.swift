/// Where a bus, or the manager itself, listens.
///
/// See the D-Bus specification, "Server Addresses".
struct BusAddress: Sendable, Hashable {
    var path: String
    /// Whether the name is the kernel's alone and no file's.
    var isAbstract = false
    /// Whether a bus is there, which has to be greeted, and not the manager at once.
    var isBus = true

    /// The local sockets of `unix:path=/run/dbus,guid=…;unix:abstract=…`, in order; other transports are passed over.
    static func list(_ text: String) -> [BusAddress] {
        var list: [BusAddress] = []
        for entry in text.split(separator: ";") {
            let parts = entry.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0] == "unix" else { continue }
            for pair in parts[1].split(separator: ",") {
                let words = pair.split(separator: "=", maxSplits: 1).map(String.init)
                guard words.count == 2, let value = unescaped(words[1]) else { continue }
                if words[0] == "path", value.hasPrefix("/") { list.append(BusAddress(path: value)) }
                if words[0] == "abstract" { list.append(BusAddress(path: value, isAbstract: true)) }
            }
        }
        return list
    }

    /// Where systemd may be asked, the best place first.
    ///
    /// Its own socket is there before any bus is, and it is for those alone who may ask for everything.
    ///
    /// - Parameters:
    ///   - variable: the environment.
    ///   - uid: whose manager is asked, where it is a user's own.
    static func systemd(
        ofUser isUser: Bool, uid: UInt32, _ variable: (String) -> String?
    ) -> [BusAddress] {
        func named(_ name: String) -> [BusAddress]? {
            variable(name).flatMap { $0.isEmpty ? nil : list($0) }
        }
        if !isUser {
            return [BusAddress(path: "/run/systemd/private", isBus: false)]
                + (named("DBUS_SYSTEM_BUS_ADDRESS") ?? [BusAddress(path: "/run/dbus/system_bus_socket")])
        }
        let own = variable("XDG_RUNTIME_DIR") ?? ""
        let directory = own.isEmpty ? "/run/user/\(uid)" : own
        return [BusAddress(path: directory + "/systemd/private", isBus: false)]
            + (named("DBUS_SESSION_BUS_ADDRESS") ?? []) + [BusAddress(path: directory + "/bus")]
    }

    /// `%xx` is a byte; nil where the text is none, or holds what a socket's name cannot.
    private static func unescaped(_ text: String) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16), rest.count >= 2 else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return bytes.contains(0) ? nil : String(validating: bytes, as: UTF8.self)
    }
}
