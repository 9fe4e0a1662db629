internal import Failures
internal import JSON

/// `skiff completion bash`, and the hidden verb that its script asks.
///
/// The script knows nothing: what can come next is computed here, names of containers and images included.
enum CompleteShell {
    static let verb = Verb(
        "completion", "Generate the autocompletion script for the specified shell", usage: "SHELL", arguments: 1...1
    ) { invocation throws(Failure) in
        guard invocation.arguments[0] == "bash" else {
            throw Failure(.invalid, "no completion for \(invocation.arguments[0]), only for bash")
        }
        invocation.console.write(script)
        return .success
    }

    static let script = """
        # bash completion for skiff: source this file, or put it into /usr/share/bash-completion/completions/skiff
        _skiff() {
            local IFS=$'\\n'
            COMPREPLY=($(compgen -W "$(skiff __complete "${COMP_WORDS[@]:1:COMP_CWORD-1}" "${COMP_WORDS[COMP_CWORD]}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -o default -F _skiff skiff

        """

    /// What can stand where the last word is being typed.
    static func candidates(_ words: [String]) -> [String] {
        var verb = VerbTree.root
        var rest = words[...]
        let last = rest.popLast() ?? ""
        for word in rest {
            if word.hasPrefix("-") { continue }
            guard let child = verb.child(word) else { break }
            verb = child
        }
        if last.hasPrefix("-") {
            return (verb.options.filter { !$0.isHidden }.map { "--\($0.name)" } + ["--help"]).sorted()
        }
        if !verb.children.isEmpty { return verb.children.filter { !$0.isHidden }.map(\.name).sorted() }
        return []
    }

    /// What the arguments of a verb name, as its usage line says.
    static func nouns(_ words: [String]) -> Inspection.Kind? {
        var verb = VerbTree.root
        for word in words.dropLast() where !word.hasPrefix("-") { verb = verb.child(word) ?? verb }
        if verb.usage.has("CONTAINER") { return .container }
        if verb.usage.has("IMAGE") || verb.name == "push" { return .image }
        if verb.usage.has("NETWORK") { return .network }
        if verb.usage.has("VOLUME") { return .volume }
        return nil
    }
}
