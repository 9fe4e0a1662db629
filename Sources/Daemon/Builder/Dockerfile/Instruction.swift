/// One instruction of a Dockerfile, understood but not yet expanded: variables are replaced when a stage is planned.
struct Instruction: Hashable, Sendable {
    var range: SourceRange
    /// As it was written, on one line; what progress shows.
    var text: String
    var operation: Operation

    indirect enum Operation: Hashable, Sendable {
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
    struct From: Hashable, Sendable {
        var image: String
        /// In lower case: stage names are found whatever their case.
        var stageName: String?
        var platform: String?
    }

    /// `name` or `name=default` of an ARG.
    struct Argument: Hashable, Sendable {
        var name: String
        var value: String?
    }

    /// `key=value` of ENV or LABEL, quotes kept.
    struct Pair: Hashable, Sendable {
        var key: String
        var value: String
    }

    /// What a process is started with.
    enum Command: Hashable, Sendable {
        /// A line for the shell in force.
        case shell(String)
        /// The words of the process itself.
        case exec([String])
    }

    struct Run: Hashable, Sendable {
        var command: Command
        var heredocs: [Heredoc] = []
        var mounts: [Mount] = []
        var network: NetworkMode = .default

        enum NetworkMode: String, Hashable, Sendable, CaseIterable { case `default`, none, host }
    }

    /// COPY and ADD.
    struct Copy: Hashable, Sendable {
        /// Paths, patterns, and for ADD addresses; not those that are here-documents.
        var sources: [String]
        var heredocs: [Heredoc] = []
        var destination: String
        /// A stage's name or number, or an image; only COPY.
        var from: String?
        var owner: String?
        var mode: String?
        /// Accepted for what it promises: a layer of its own, which every COPY here is.
        var link = false
        /// Directories above the source are kept, from a `/./` on if there is one.
        var parents = false
        var excludes: [String] = []
        var checksum: String?
        var keepsGitDirectory = false
        /// Whether archives are unpacked; `nil` is ADD's habit: local ones are, fetched ones are not.
        var unpack: Bool?
    }

    /// `--mount` of RUN.
    struct Mount: Hashable, Sendable {
        var kind: Kind = .bind
        var target: String = ""
        var source: String?
        var from: String?
        var id: String?
        var readOnly: Bool = true
        var sharing: Sharing = .shared
        var mode: UInt16?
        var user: UInt32?
        var group: UInt32?
        /// Bytes of a tmpfs.
        var size: Int64?
        var required = false

        enum Kind: String, Hashable, Sendable, CaseIterable { case bind, cache, tmpfs, secret, ssh }
        enum Sharing: String, Hashable, Sendable, CaseIterable { case shared, `private`, locked }
    }

    /// HEALTHCHECK; times in nanoseconds, 0 for the default.
    struct Healthcheck: Hashable, Sendable {
        /// `nil` is NONE.
        var command: Command?
        var interval: Int64 = 0
        var timeout: Int64 = 0
        var startPeriod: Int64 = 0
        var startInterval: Int64 = 0
        var retries: Int = 0
    }
}
