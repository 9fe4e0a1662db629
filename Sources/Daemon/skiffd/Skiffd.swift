internal import APIServer
internal import ArgumentParser
internal import Failures
internal import Linux
internal import Logging
internal import ServiceLifecycle
internal import UnixSignals

/// The daemon: many containers behind one API.
@main
struct Skiffd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "skiffd", abstract: "A self-sufficient runtime for containers.", version: "skiffd 0.1.0")

    @OptionGroup var options: DaemonOptions

    static func main() async { await main(Switch.spelledOut(Array(CommandLine.arguments.dropFirst()))) }

    func run() async throws {
        do {
            try await start()
        } catch let failure as Failure {
            // Where a person or a service manager looks: one line that names the thing and the next step.
            try? writeAll(2, "skiffd: \(failure.message)\n")
            throw ExitCode(1)
        }
    }

    private func start() async throws {
        let source = ConfigurationSource(
            path: options.configFile ?? ConfigurationFile.standardPath, mustExist: options.configFile != nil,
            given: options.given)
        let settings = try source.settings()
        if options.validation == .on { return try writeAll(1, "configuration OK\n") }
        guard effectiveUser() == 0 else {
            throw Failure(.forbidden, "the daemon needs to be started with root privileges: run it with sudo")
        }
        ignoreBrokenPipes()
        do { try changeDirectory("/") } catch { throw Failure(.internal, "cannot work in /: \(error)", cause: error) }

        let logger = Self.logger(settings)
        for key in try source.file().ignored {
            logger.warning("a directive has no effect", metadata: ["directive": "\(key)"])
        }
        let daemon = try await Daemon.assemble(settings, from: source, shim: options.shim, logger: logger)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: daemon.services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        logger.info("daemon has completed initialization", metadata: ["version": "\(SkiffVersion.number)"])
        try await group.run()
        await daemon.close()
    }

    private static func logger(_ settings: DaemonSettings) -> Logger {
        let level = settings.logLevel
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        return Logger(label: "skiffd")
    }
}
