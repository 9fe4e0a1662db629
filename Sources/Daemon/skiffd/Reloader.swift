internal import Engine
internal import Failures
internal import Images
internal import Logging
internal import ServiceLifecycle
internal import UnixSignals

/// Takes over on SIGHUP what `daemon.json` may change while the daemon runs: which registries are insecure, and their
/// mirrors.
///
/// A file that cannot be read, or that says what a flag said, changes nothing and the daemon goes on, as dockerd does.
struct Reloader: Service {
    let source: ConfigurationSource
    let registries: Registries
    let events: EventBus
    let daemonID: String
    let name: String
    let logger: Logger

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() { reload() }
    }

    private func reload() {
        do {
            let settings = try source.settings()
            registries.update(
                RegistrySettings(insecure: settings.insecureRegistries, mirrors: settings.registryMirrors))
            events.publish(
                Event(
                    .daemon, "reload", actor: daemonID,
                    attributes: [
                        "insecure-registries": settings.insecureRegistries.joined(separator: ","), "name": name,
                        "registry-mirrors": settings.registryMirrors.joined(separator: ","),
                    ]))
            logger.info("configuration reloaded", metadata: ["file": "\(source.path)"])
        } catch {
            logger.error("configuration not reloaded", metadata: ["file": "\(source.path)", "reason": "\(error)"])
        }
    }
}
