internal import DockerAPI
internal import Failures

/// What `--mount` says: `type=bind,source=/a,target=/b,readonly`.
struct MountSpec {
    private var mount = Mount()
    private var bind = BindOptions()
    private var volume = VolumeOptions()
    private var driver = VolumeDriverConfig()
    private var tmpfs = TmpfsOptions()

    static func parse(_ text: String) throws(Failure) -> Mount {
        var spec = MountSpec()
        spec.mount.type = "volume"
        for field in try fields(text) {
            let pair = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            try spec.apply(pair[0].lowercased(), pair.count == 2 ? pair[1] : nil, field)
        }
        return try spec.finished()
    }

    private func finished() throws(Failure) -> Mount {
        var mount = mount
        var volume = volume
        guard !mount.target.isEmpty else { throw Failure(.invalid, "target is required") }
        if mount.type == "bind", mount.source == nil { throw Failure(.invalid, "source is required for a bind mount") }
        if driver != VolumeDriverConfig() { volume.driverConfig = driver }
        if bind != BindOptions() { mount.bindOptions = bind }
        if volume != VolumeOptions() { mount.volumeOptions = volume }
        if tmpfs != TmpfsOptions() { mount.tmpfsOptions = tmpfs }
        let particular = [
            ("bind", mount.bindOptions != nil), ("volume", mount.volumeOptions != nil),
            ("tmpfs", mount.tmpfsOptions != nil),
        ]
        for (type, isGiven) in particular where isGiven && type != mount.type {
            throw Failure(.invalid, "cannot mix '\(type)-*' options with mount type '\(mount.type)'")
        }
        return mount
    }

    /// Comma-separated fields, a field in double quotes may hold commas.
    static func fields(_ text: String) throws(Failure) -> [String] {
        var fields: [String] = []
        var field = ""
        var quoted = false
        var rest = text[...]
        while let character = rest.popFirst() {
            switch character {
            case "\"" where quoted && rest.first == "\"":
                rest.removeFirst()
                field.append("\"")
            case "\"": quoted.toggle()
            case "," where !quoted:
                fields.append(field)
                field = ""
            default: field.append(character)
            }
        }
        guard !quoted else { throw Failure(.invalid, "extraneous or missing \" in quoted-field: \(text)") }
        return fields + [field]
    }

    private mutating func apply(_ key: String, _ value: String?, _ field: String) throws(Failure) {
        func flag() throws(Failure) -> Bool {
            guard let value else { return true }
            do { return try parseBool(value) } catch { throw Failure(.invalid, "invalid value for \(key): \(value)") }
        }
        func text() throws(Failure) -> String {
            guard let value, !value.isEmpty else {
                throw Failure(.invalid, "invalid field '\(field)' must be a key=value pair")
            }
            return value
        }
        switch key {
        case "type":
            mount.type = try text().lowercased()
            guard ["bind", "volume", "tmpfs"].contains(mount.type) else {
                throw Failure(.invalid, "invalid mount type \(mount.type): want bind, volume or tmpfs")
            }
        case "source", "src": mount.source = Self.absolute(try text())
        case "target", "dst", "destination": mount.target = try text()
        case "readonly", "ro": mount.readOnly = try flag()
        case "consistency": mount.consistency = try text().lowercased()
        case "bind-propagation": bind.propagation = try text().lowercased()
        case "bind-nonrecursive": bind.nonRecursive = try flag()
        case "bind-recursive": bind.nonRecursive = try text() == "disabled"
        case "volume-nocopy": volume.noCopy = try flag()
        case "volume-subpath": volume.subpath = try text()
        case "volume-label": try Self.add(text(), to: &volume.labels)
        case "volume-driver": driver.name = try text()
        case "volume-opt": try Self.add(text(), to: &driver.options)
        case "tmpfs-size": tmpfs.sizeBytes = try ByteSize.parse(try text())
        case "tmpfs-mode":
            guard let mode = Int(try text(), radix: 8) else {
                throw Failure(.invalid, "invalid value for tmpfs-mode: \(value ?? "")")
            }
            tmpfs.mode = mode
        default: throw Failure(.invalid, "unknown option '\(key)' in '\(field)'")
        }
    }

    private static func add(_ pair: String, to map: inout [String: String]?) {
        let (name, value) = keyValue(pair)
        map = (map ?? [:]).merging([name: value]) { $1 }
    }

    /// A path of the host made whole; a volume's name stays as it is.
    private static func absolute(_ source: String) -> String {
        source.hasPrefix("./") || source.hasPrefix("../") || source == "." || source == ".."
            ? HostPath.absolute(source) : source
    }
}

/// "name=value" taken apart; a name alone has an empty value.
func keyValue(_ text: String) -> (name: String, value: String) {
    guard let equals = text.firstIndex(of: "=") else { return (text, "") }
    return (String(text[..<equals]), String(text[text.index(after: equals)...]))
}
