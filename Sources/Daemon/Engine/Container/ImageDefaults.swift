internal import Failures
internal import OCI

extension ContainerConfig {
    /// What the caller left open, filled in from the image by Docker's rules.
    ///
    /// - Throws: `invalid` "no command specified" when there is nothing to run.
    func merged(with image: ImageConfig.Config?) throws(Failure) -> ContainerConfig {
        var merged = self
        if let image {
            if user.isEmpty { merged.user = image.user }
            merged.exposedPorts = Array(
                Set(exposedPorts.map(Self.normalised(port:)) + image.exposedPorts.map(Self.normalised(port:)))
            ).sorted()
            let named = Set(env.map(Self.name(of:)))
            merged.env += image.env.filter { !named.contains(Self.name(of: $0)) }
            merged.labels = image.labels.merging(labels) { _, own in own }
            if entrypoint?.isEmpty ?? true {
                if command?.isEmpty ?? true { merged.command = image.cmd }
                if entrypoint == nil { merged.entrypoint = image.entrypoint }
            }
            if workingDirectory.isEmpty { merged.workingDirectory = image.workingDir }
            merged.volumes = Array(Set(volumes + image.volumes)).sorted()
            if stopSignal == nil, let signal = image.stopSignal, !signal.isEmpty { merged.stopSignal = signal }
            if shell == nil { merged.shell = image.shell }
            merged.healthcheck = Self.merge(healthcheck, image.healthcheck)
        } else {
            merged.exposedPorts = Array(Set(exposedPorts.map(Self.normalised(port:)))).sorted()
        }
        if merged.entrypoint == [""] || merged.entrypoint == [] { merged.entrypoint = nil }
        if merged.entrypoint == nil, merged.command?.isEmpty ?? true { throw Failure(.invalid, "no command specified") }
        return merged
    }

    /// The program and its arguments.
    var processArguments: [String] { (entrypoint ?? []) + (command ?? []) }

    /// `80` → `80/tcp`.
    static func normalised(port: String) -> String { port.contains("/") ? port.lowercased() : port + "/tcp" }

    private static func name(of entry: String) -> Substring { entry.prefix { $0 != "=" } }

    private static func merge(_ own: HealthCheck?, _ image: ImageConfig.Healthcheck?) -> HealthCheck? {
        guard let image else { return own }
        var merged = own ?? HealthCheck()
        if merged.test.isEmpty { merged.test = image.test }
        if merged.interval == 0 { merged.interval = image.interval }
        if merged.timeout == 0 { merged.timeout = image.timeout }
        if merged.startPeriod == 0 { merged.startPeriod = image.startPeriod }
        if merged.startInterval == 0 { merged.startInterval = image.startInterval }
        if merged.retries == 0 { merged.retries = image.retries }
        return merged
    }
}
