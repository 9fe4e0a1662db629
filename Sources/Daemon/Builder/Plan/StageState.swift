internal import OCI

/// A stage as it stands between two instructions: the config an image would have, and what expands its words.
struct StageState: Sendable {
    /// The shell of commands that are lines, where no SHELL says otherwise.
    static let defaultShell = ["/bin/sh", "-c"]
    /// Where programs are looked for in an image that does not say.
    static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    var config: ImageConfig.Config
    var author: String?
    /// The document the stage began with: what is not known of it goes along.
    var base: ImageConfig?
    var baseImage: BaseImage?
    /// The tree.
    var vertex: VertexID
    var history: [PlannedHistory] = []
    /// ARGs in force, in the order of their declaration; `nil` for those without a value.
    private(set) var arguments: [(name: String, value: String?)] = []
    /// A CMD came after the base: an ENTRYPOINT leaves it alone then.
    var setsCommand = false

    init(vertex: VertexID, image: BaseImage?) {
        config = image?.config.config ?? ImageConfig.Config()
        author = image?.config.author
        base = image?.config
        baseImage = image
        self.vertex = vertex
        if variable("PATH") == nil { set("PATH", to: Self.defaultPath) }
    }

    /// A stage that begins with this one: ARGs end with their stage.
    func continued() -> StageState {
        var next = self
        next.arguments = []
        next.setsCommand = false
        return next
    }

    var shell: [String] { config.shell ?? Self.defaultShell }
    var workingDirectory: String { config.workingDir.isEmpty ? "/" : config.workingDir }

    /// What a name expands to: ENV is stronger than ARG.
    func value(_ name: String) -> String? { variable(name) ?? argument(name) }

    func variable(_ name: String) -> String? {
        let prefix = name + "="
        return config.env.last { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    func argument(_ name: String) -> String? { arguments.last { $0.name == name }?.value }

    var declaredArguments: Set<String> { Set(arguments.map(\.name)) }

    mutating func set(_ name: String, to value: String) {
        let prefix = name + "="
        if let index = config.env.firstIndex(where: { $0.hasPrefix(prefix) }) {
            config.env[index] = prefix + value
        } else {
            config.env.append(prefix + value)
        }
    }

    mutating func declare(_ name: String, _ value: String?) {
        arguments.removeAll { $0.name == name }
        arguments.append((name, value))
    }

    /// ARGs a process sees: those with a value that no ENV covers, by name.
    var visibleArguments: [String] {
        arguments.compactMap { name, value in variable(name) == nil ? value.map { "\(name)=\($0)" } : nil }.sorted()
    }

    /// A path in the image, seen from the working directory; a slash at the end stays when `keepsSlash`.
    func absolute(_ path: String, keepsSlash: Bool = false) -> String {
        let start = path.hasPrefix("/") ? TreePath.root : TreePath(workingDirectory)
        let cleaned = "/" + start.appending(path).text
        let isDirectory = path.hasSuffix("/") || path.hasSuffix("/.") || path == "." || path.isEmpty
        return keepsSlash && isDirectory && cleaned != "/" ? cleaned + "/" : cleaned
    }
}

/// One line of an image's history, as far as it is known before the step ran.
struct PlannedHistory: Hashable, Sendable {
    var createdBy: String
    /// The step that made it; its result says when, and whether it made a layer.
    var step: Int
}
