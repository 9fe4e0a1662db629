/// Another OCI runtime's program, as `runtimes` of `daemon.json` names it.
public struct RuntimeProgram: Sendable, Hashable {
    /// The program's absolute path.
    public var path: String
    /// What stands before the verb at each call, such as gVisor's `--platform=ptrace` (`runtimeArgs`).
    public var arguments: [String]

    public init(path: String, arguments: [String] = []) {
        self.path = path
        self.arguments = arguments
    }
}
