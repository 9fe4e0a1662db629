internal import Failures

/// Where the settings come from: the flags of this start, and a file that may be read again.
struct ConfigurationSource: Sendable {
    let path: String
    /// Whether the file was asked for by name.
    let mustExist: Bool
    /// What flags said.
    let given: [String: ConfigurationValue]

    func file() throws(Failure) -> ConfigurationFile { try ConfigurationFile.read(path, mustExist: mustExist) }

    /// Flags and file put together, as they are now.
    func settings() throws(Failure) -> DaemonSettings {
        let file = try file()
        try file.check(against: given)
        return try DaemonSettings(file.values.merging(given) { _, given in given })
    }
}
