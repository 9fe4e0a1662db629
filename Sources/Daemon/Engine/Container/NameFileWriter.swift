internal import Failures
internal import Linux
internal import Networking

/// Writes the three name files of a container in its folder.
///
/// In place, never by renaming: they are bind-mounted into the running container, which holds the file and not the name.
struct NameFileWriter {
    private let configuration: EngineConfiguration
    private let id: String

    init(_ configuration: EngineConfiguration, _ id: String) { (self.configuration, self.id) = (configuration, id) }

    func write(_ files: NameFiles) throws(Failure) {
        try write(configuration.hostsPath(ofContainer: id), files.hosts)
        try write(configuration.hostnamePath(ofContainer: id), files.hostname)
        try write(configuration.resolvConfPath(ofContainer: id), files.resolvConf)
    }

    private func write(_ path: String, _ text: String) throws(Failure) {
        try describing("write \(path)") { () throws(SystemError) in try writeFile(path, Array(text.utf8), mode: 0o644) }
    }
}
