internal import CLinux
internal import Linux

/// CRIU, as it is installed on this host and proven to be new enough.
public struct CRIUProgram: Sendable {
    let path: String
    public let version: CRIUVersion

    /// The oldest that tells when lazy pages are ready and takes pid namespaces from outside; criu(8).
    static let oldest = CRIUVersion(3, 15)

    /// Finds the program and asks it for its version.
    ///
    /// - Parameters:
    ///   - name: a path, or a name that is looked for in the search path.
    ///   - searchPath: as in `$PATH`.
    /// - Throws: where there is none, it does not answer, or is too old.
    public init(_ name: String = "criu", searchPath: String?) throws(RuntimeFailure) {
        do throws(RuntimeFailure) { path = try Executable.find(name, path: searchPath) } catch {
            throw RuntimeFailure(
                .checkpoint,
                "checkpoint and restore need CRIU, and \(name) is not to be found: install the package criu",
                errno: error.errno)
        }
        let answer = try CRIUExchange(path: path).finish(.version) { (_, _) throws(RuntimeFailure) in }
        guard answer.success, let version = answer.version else {
            throw RuntimeFailure(
                .checkpoint, "\(path) does not tell its version: CRIU \(Self.oldest) or newer is needed")
        }
        guard version >= Self.oldest else {
            throw RuntimeFailure(
                .checkpoint, "\(path) is CRIU \(version), which is too old: \(Self.oldest) or newer is needed")
        }
        self.version = version
    }

    /// Refuses what the kernel, or this CRIU, cannot do.
    func require(memoryTracking: Bool = false, lazyPages: Bool = false) throws(RuntimeFailure) {
        let request = CRIURequest.features(memoryTracking: memoryTracking, lazyPages: lazyPages)
        let answer = try CRIUExchange(path: path).finish(request) { (_, _) throws(RuntimeFailure) in }
        let features = answer.features
        if memoryTracking, features?.memoryTracking != true {
            throw RuntimeFailure(.checkpoint, "--pre-dump: memory changes cannot be tracked by this kernel and CRIU")
        }
        if lazyPages, features?.lazyPages != true {
            throw RuntimeFailure(.checkpoint, "--lazy-pages: not supported by this kernel and CRIU")
        }
    }
}
