internal import DockerAPI
internal import Failures

/// What `--mount` says: `type=bind,source=/a,target=/b,readonly`.
enum MountSpec {
    static func parse(_ text: String) throws(Failure) -> Mount {
        var mount = Mount()
        mount.type = "volume"
        for field in try fields(text) {
            let pair = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            try apply(pair[0].lowercased(), pair.count == 2 ? pair[1] : nil, field, to: &mount)
        }
        guard !mount.target.isEmpty else { throw Failure(.invalid, "target is required") }
        if mount.type == "bind", mount.source == nil { throw Failure(.invalid, "source is required for a bind mount") }
        if mount.volumeOptions != nil, mount.type != "volume" {
            throw Failure(.invalid, "cannot mix 'volume-*' options with mount type '\(mount.type)'")
        }
        if mount.bindOptions != nil, mount.type != "bind" {
            throw Failure(.invalid, "cannot mix 'bind-*' options with mount type '\(mount.type)'")
        }
        if mount.tmpfsOptions != nil, mount.type != "tmpfs" {
            throw Failure(.invalid, "cannot mix 'tmpfs-*' options with mount type '\(mount.type)'")
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

    private static func apply(
        _ key: String, _ value: String?, _ field: String, to mount: inout Mount
    ) throws(Failure) {
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
            guard ["bind", "volume", "tmpfs", "image", "npipe", "cluster"].contains(mount.type) else {
                throw Failure(.invalid, "invalid mount type \(mount.type): want bind, volume or tmpfs")
            }
        case "source", "src": mount.source = absolute(try text(), isBind: field.contains("/") || field.contains("."))
        case "target", "dst", "destination": mount.target = try text()
        case "readonly", "ro": mount.readOnly = try flag()
        case "consistency": mount.consistency = try text().lowercased()
        case "bind-propagation":
            mount.bindOptions = mount.bindOptions ?? BindOptions()
            mount.bindOptions?.propagation = try text().lowercased()
        case "bind-nonrecursive":
            mount.bindOptions = mount.bindOptions ?? BindOptions()
            mount.bindOptions?.nonRecursive = try flag()
        case "bind-recursive":
            mount.bindOptions = mount.bindOptions ?? BindOptions()
            mount.bindOptions?.nonRecursive = try text() == "disabled"
        case "volume-nocopy":
            mount.volumeOptions = mount.volumeOptions ?? VolumeOptions()
            mount.volumeOptions?.noCopy = try flag()
        case "volume-subpath":
            mount.volumeOptions = mount.volumeOptions ?? VolumeOptions()
            mount.volumeOptions?.subpath = try text()
        case "volume-label":
            mount.volumeOptions = mount.volumeOptions ?? VolumeOptions()
            let (name, value) = keyValue(try text())
            mount.volumeOptions?.labels = (mount.volumeOptions?.labels ?? [:]).merging([name: value]) { $1 }
        case "volume-driver":
            mount.volumeOptions = mount.volumeOptions ?? VolumeOptions()
            var driver = mount.volumeOptions?.driverConfig ?? VolumeDriverConfig()
            driver.name = try text()
            mount.volumeOptions?.driverConfig = driver
        case "volume-opt":
            mount.volumeOptions = mount.volumeOptions ?? VolumeOptions()
            var driver = mount.volumeOptions?.driverConfig ?? VolumeDriverConfig()
            let (name, value) = keyValue(try text())
            driver.options = (driver.options ?? [:]).merging([name: value]) { $1 }
            mount.volumeOptions?.driverConfig = driver
        case "tmpfs-size":
            mount.tmpfsOptions = mount.tmpfsOptions ?? TmpfsOptions()
            mount.tmpfsOptions?.sizeBytes = try ByteSize.parse(try text())
        case "tmpfs-mode":
            mount.tmpfsOptions = mount.tmpfsOptions ?? TmpfsOptions()
            guard let mode = Int(try text(), radix: 8) else {
                throw Failure(.invalid, "invalid value for tmpfs-mode: \(value ?? "")")
            }
            mount.tmpfsOptions?.mode = mode
        default: throw Failure(.invalid, "unknown option '\(key)' in '\(field)'")
        }
    }

    /// A path of the host made whole; a volume's name stays as it is.
    private static func absolute(_ source: String, isBind: Bool) -> String {
        source.hasPrefix(".") && isBind ? HostPath.absolute(source) : source
    }
}

/// "name=value" taken apart; a name alone has an empty value.
func keyValue(_ text: String) -> (name: String, value: String) {
    guard let equals = text.firstIndex(of: "=") else { return (text, "") }
    return (String(text[..<equals]), String(text[text.index(after: equals)...]))
}
