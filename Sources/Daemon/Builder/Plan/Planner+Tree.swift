internal import DockerfileSyntax
internal import OCI

/// Instructions that change the tree: their words expanded, their paths made absolute.
extension Planner {
    func copy(_ copy: Instruction.Copy, _ state: StageState, isAdd: Bool) throws(SyntaxProblem) -> CopyOperation {
        let rules = self.rules(state)
        var sources: [String] = []
        for source in copy.sources { sources.append(try rules.word(source)) }
        let destination = try rules.word(copy.destination)
        guard !destination.isEmpty else {
            throw SyntaxProblem("\(isAdd ? "ADD" : "COPY") destination is empty after expansion")
        }
        var operation = CopyOperation(
            isAdd: isAdd, sources: sources, destination: state.absolute(destination, keepsSlash: true))
        for document in copy.heredocs {
            let content =
                document.expands ? try self.rules(state, keepsQuotes: true).word(document.text) : document.text
            operation.documents.append(RunOperation.Script(name: document.name, content: content))
        }
        if sources.count + operation.documents.count > 1, !operation.destination.hasSuffix("/") {
            throw SyntaxProblem(
                "When using \(operation.keyword) with more than one source file, the destination must be a directory and end with a /"
            )
        }
        operation.fromInput = copy.from != nil
        for source in sources {
            if isAdd, Self.isRepository(source) {
                throw SyntaxProblem(
                    "ADD of a git repository (\(source)) is not supported: clone it beside the Dockerfile and COPY it")
            }
            if !operation.fromInput, !(isAdd && CopyOperation.isAddress(source)), TreePath.leaves(source) {
                throw SyntaxProblem("forbidden path outside the build context: \(source) ()")
            }
        }
        operation.owner = try copy.owner.map { text throws(SyntaxProblem) in try rules.word(text) }
        operation.mode = try copy.mode.map { text throws(SyntaxProblem) in try rules.word(text) }
        if let mode = operation.mode, FileMode(mode) == nil {
            throw SyntaxProblem("invalid chmod parameter: '\(mode)'")
        }
        operation.parents = copy.parents
        for pattern in copy.excludes { operation.excludes.append(try rules.word(pattern)) }
        operation.checksum = try copy.checksum.map { text throws(SyntaxProblem) in try rules.word(text) }
        if let checksum = operation.checksum {
            guard sources.allSatisfy(CopyOperation.isAddress) else {
                throw SyntaxProblem("checksum can't be specified for local sources")
            }
            guard (try? Digest(parsing: checksum))?.algorithm == "sha256" else {
                throw SyntaxProblem("invalid checksum \"\(checksum)\": want sha256: and 64 hexadecimal digits")
            }
        }
        operation.unpack = copy.unpack
        return operation
    }

    private static func isRepository(_ source: String) -> Bool {
        if source.hasPrefix("git@") || source.hasPrefix("git://") || source.hasPrefix("ssh://") { return true }
        guard CopyOperation.isAddress(source) else { return false }
        let path = source.prefix { $0 != "#" && $0 != "?" }
        return path.hasSuffix(".git")
    }

    /// - Parameter inputs: which input of the vertex each `from` is.
    func run(_ run: Instruction.Run, _ state: StageState, inputs: [String: Int]) throws(SyntaxProblem) -> RunOperation {
        var operation = RunOperation(
            arguments: [], environment: state.config.env + state.visibleArguments,
            workingDirectory: state.workingDirectory,
            user: state.config.user, network: run.network)
        operation.hiddenEnvironment = arguments.hidden(declared: state.declaredArguments).filter { entry in
            state.variable(String(entry.prefix { $0 != "=" })) == nil
        }
        switch run.command {
        case .exec(let words): operation.arguments = words
        case .shell(let line):
            (operation.arguments, operation.script) = Self.command(line, run.heredocs, shell: state.shell)
        }
        for mount in run.mounts { operation.mounts.append(try self.mount(mount, state, inputs)) }
        return operation
    }

    /// The line with its here-documents for a shell.
    ///
    /// One that stands alone is the script itself: as a program where it
    /// names its interpreter, otherwise as the shell's line.
    private static func command(_ line: String, _ heredocs: [Heredoc], shell: [String]) -> (
        [String], RunOperation.Script?
    ) {
        guard let first = heredocs.first else { return (shell + [line], nil) }
        if heredocs.count == 1, line.fields.count == 1 {
            let text = first.text
            if text.hasPrefix("#!") {
                let script = RunOperation.Script(name: first.name, content: text)
                return ([scriptPath(first.name)], script)
            }
            return (shell + [text], nil)
        }
        var whole = line
        for heredoc in heredocs { whole += "\n" + heredoc.content + heredoc.name }
        return (shell + [whole], nil)
    }

    /// Where a script with an interpreter of its own is seen by the process.
    static func scriptPath(_ name: String) -> String {
        "/dev/pipes/" + name.map { $0.isLetter || $0.isNumber || "-_.".contains($0) ? $0 : "_" }
    }

    private func mount(
        _ mount: Instruction.Mount, _ state: StageState, _ inputs: [String: Int]
    ) throws(SyntaxProblem) -> RunOperation.Mount {
        guard mount.kind != .secret, mount.kind != .ssh else {
            throw SyntaxProblem(
                "RUN --mount=type=\(mount.kind.rawValue) needs a client that offers it in a BuildKit session, which this builder does not serve yet"
            )
        }
        let rules = self.rules(state)
        let target = try rules.word(mount.target)
        guard !target.isEmpty else { throw SyntaxProblem("the mount's target is empty after expansion") }
        let path = state.absolute(target)
        guard path != "/" else { throw SyntaxProblem("invalid mount target \"/\"") }
        let source = try rules.word(mount.source ?? "")
        let id = try rules.word(mount.id ?? "")
        return RunOperation.Mount(
            kind: mount.kind, target: path, source: "/" + TreePath(source).text,
            input: mount.from.flatMap { inputs[$0] },
            id: id.isEmpty ? path : id, readOnly: mount.readOnly, sharing: mount.sharing, mode: mount.mode ?? 0o755,
            user: mount.user ?? 0,
            group: mount.group ?? 0, size: mount.size)
    }

    /// History shows the process, and the arguments it saw in front, as Docker's does.
    func runHistory(_ operation: RunOperation, _ state: StageState) -> String {
        let arguments = state.visibleArguments
        let prefix = arguments.isEmpty ? "" : "|\(arguments.count) \(arguments.joined(separator: " ")) "
        return "RUN \(prefix)\(operation.commandLine)"
    }
}

extension CopyOperation {
    /// Whether ADD fetches the source.
    static func isAddress(_ source: String) -> Bool { source.hasPrefix("http://") || source.hasPrefix("https://") }
}
