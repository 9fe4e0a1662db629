/// The unit systemd makes for a container, and where it stands: what `linux.cgroupsPath` says as `slice:prefix:name`.
struct ScopeName: Sendable, Hashable {
    /// `system.slice`; the slice's own place is in its name, see ``path(of:)``.
    let slice: String
    /// `prefix-name.scope`.
    let unit: String

    /// The prefix of a container whose document names no group.
    static let ownPrefix = "skiff"

    /// - Parameters:
    ///   - text: nil or empty for `<default slice>:skiff:<id>`.
    ///   - isUser: whether a user's own manager is meant, whose slice is another one.
    init(_ text: String?, id: String, isUser: Bool) throws(RuntimeFailure) {
        var slice = "", prefix = Self.ownPrefix, name = id
        if let text, !text.isEmpty {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3, !parts[2].isEmpty else {
                throw RuntimeFailure(
                    .specification,
                    "linux.cgroupsPath: \"\(text)\" has not the form slice:prefix:name, which the systemd driver needs")
            }
            (slice, prefix, name) = (parts[0], parts[1], parts[2])
        }
        if slice.isEmpty { slice = isUser ? "user.slice" : "system.slice" }
        guard !name.hasSuffix(".slice") else {
            throw RuntimeFailure(
                .specification, "linux.cgroupsPath: a container's unit is a scope, not a slice (\(name))")
        }
        let unit = Self.escaped(prefix.isEmpty ? name : "\(prefix)-\(name)") + ".scope"
        guard unit.utf8.count <= 255 else {
            throw RuntimeFailure(.specification, "the unit's name \(unit) is longer than 255 bytes")
        }
        _ = try Self.path(of: slice)
        self.slice = slice
        self.unit = unit
    }

    /// Below the manager's own group.
    var path: String { ((try? Self.path(of: slice)) ?? "") + "/" + unit }

    /// The slice's group: `a-b.slice` lies in `a.slice`, and `-.slice` is the root, which is empty here.
    ///
    /// See systemd.slice(5).
    static func path(of slice: String) throws(RuntimeFailure) -> String {
        if slice == "-.slice" { return "" }
        let steps = slice.utf8.dropLast(6).split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard slice.hasSuffix(".slice"), steps.allSatisfy({ !$0.isEmpty }), slice.utf8.allSatisfy(isUnitByte) else {
            throw RuntimeFailure(.specification, "linux.cgroupsPath: \"\(slice)\" is not the name of a slice")
        }
        var path = "", name = ""
        for step in steps {
            name += (name.isEmpty ? "" : "-") + String(decoding: step, as: UTF8.self)
            path += "/\(name).slice"
        }
        return path
    }

    /// The name with what units' names do not take as `\xNN`; systemd.unit(5), "String Escaping for Inclusion in Unit Names".
    ///
    /// A backslash stays, so that a name that is escaped already is not escaped again.
    static func escaped(_ name: String) -> String {
        var text = ""
        for (index, byte) in name.utf8.enumerated() {
            if isUnitByte(byte), index > 0 || byte != UInt8(ascii: ".") {
                text.unicodeScalars.append(UnicodeScalar(byte))
            } else {
                let digits = String(byte, radix: 16)
                text += "\\x" + (digits.count < 2 ? "0" : "") + digits
            }
        }
        return text
    }

    private static func isUnitByte(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || ":-_.\\@".utf8.contains(byte)
    }
}
