/// One instruction of a Dockerfile, understood but not yet expanded: variables are replaced when a stage is planned.
public struct Instruction: Hashable, Sendable {
    public var range: SourceRange
    /// As it was written, on one line; what progress shows.
    public var text: String
    public var operation: Operation

    public indirect enum Operation: Hashable, Sendable {
        case from(From)
        case arg([Argument])
        case env([Pair])
        case label([Pair])
        case maintainer(String)
        case run(Run)
        case copy(Copy)
        case add(Copy)
        case cmd(Command)
        case entrypoint(Command)
        case shell([String])
        case workdir(String)
        case user(String)
        case expose(String)
        case volume([String])
        case stopSignal(String)
        case healthcheck(Healthcheck)
        /// The trigger, parsed to see that it is one; the text is what an image keeps.
        case onBuild(Instruction)
    }
}

extension Instruction {
    /// `FROM [--platform=p] image [AS name]`.
    public struct From: Hashable, Sendable {
        public var image: String
        /// In lower case: stage names are found whatever their case.
        public var stageName: String?
        public var platform: String?
    }

    /// `name` or `name=default` of an ARG.
    public struct Argument: Hashable, Sendable {
        public var name: String
        public var value: String?
    }

    /// `key=value` of ENV or LABEL, quotes kept.
    public struct Pair: Hashable, Sendable {
        public var key: String
        public var value: String
    }

    /// What a process is started with.
    public enum Command: Hashable, Sendable {
        /// A line for the shell in force.
        case shell(String)
        /// The words of the process itself.
        case exec([String])
    }

    public struct Run: Hashable, Sendable {
        public var command: Command
        public var heredocs: [Heredoc] = []
        public var mounts: [Mount] = []
        public var network: NetworkMode = .default

        public enum NetworkMode: String, Hashable, Sendable, CaseIterable { case `default`, none, host }
    }

    /// COPY and ADD.
    public struct Copy: Hashable, Sendable {
        /// Paths, patterns, and for ADD addresses; not those that are here-documents.
        public var sources: [String]
        public var heredocs: [Heredoc] = []
        public var destination: String
        /// A stage's name or number, or an image; only COPY.
        public var from: String?
        public var owner: String?
        public var mode: String?
        /// Accepted for what it promises: a layer of its own, which every COPY here is.
        public var link = false
        /// Directories above the source are kept, from a `/./` on if there is one.
        public var parents = false
        public var excludes: [String] = []
        public var checksum: String?
        public var keepsGitDirectory = false
        /// Whether archives are unpacked; `nil` is ADD's habit: local ones are, fetched ones are not.
        public var unpack: Bool?
    }

    /// `--mount` of RUN.
    public struct Mount: Hashable, Sendable {
        public var kind: Kind = .bind
        public var target: String = ""
        public var source: String?
        public var from: String?
        public var id: String?
        public var readOnly: Bool = true
        public var sharing: Sharing = .shared
        public var mode: UInt16?
        public var user: UInt32?
        public var group: UInt32?
        /// Bytes of a tmpfs.
        public var size: Int64?
        public var required = false

        public enum Kind: String, Hashable, Sendable, CaseIterable { case bind, cache, tmpfs, secret, ssh }
        public enum Sharing: String, Hashable, Sendable, CaseIterable { case shared, `private`, locked }
    }

    /// HEALTHCHECK; times in nanoseconds, 0 for the default.
    public struct Healthcheck: Hashable, Sendable {
        /// `nil` is NONE.
        public var command: Command?
        public var interval: Int64 = 0
        public var timeout: Int64 = 0
        public var startPeriod: Int64 = 0
        public var startInterval: Int64 = 0
        public var retries: Int = 0
    }
}
