/// The text of `--help`, laid out as Docker's.
struct HelpPage {
    /// The verb with its nouns: "skiff container stop".
    let command: String
    let verb: Verb
    /// Other full spellings of the same.
    var aliases: [String] = []
    var globalOptions: [any AnyOption] = []
    /// Columns of the terminal.
    var width = 80

    var text: String {
        var text = "Usage:  \(usageLine)\n\n\(verb.summary)\n"
        if !aliases.isEmpty { text += "\nAliases:\n  \(aliases.joined(separator: ", "))\n" }
        let nouns = verb.children.filter { !$0.children.isEmpty && !$0.isHidden }
        let verbs = verb.children.filter { $0.children.isEmpty && !$0.isHidden }
        if !nouns.isEmpty { text += "\nManagement Commands:\n" + list(nouns) }
        if !verbs.isEmpty { text += "\nCommands:\n" + list(verbs) }
        let options = verb.options.filter { !$0.isHidden }.sorted { $0.name < $1.name }
        if !options.isEmpty { text += "\nOptions:\n" + table(options) }
        if !globalOptions.isEmpty { text += "\nGlobal Options:\n" + table(globalOptions) }
        if !verb.children.isEmpty {
            text += "\nRun '\(command) COMMAND --help' for more information on a command.\n"
        }
        return text
    }

    var usageLine: String {
        let usage = globalOptions.isEmpty ? verb.usage : "[OPTIONS] \(verb.usage)"
        return usage.isEmpty ? command : "\(command) \(usage)"
    }

    private func list(_ verbs: [Verb]) -> String {
        let column = (verbs.map(\.name.count).max() ?? 0) + 2
        return verbs.sorted { $0.name < $1.name }.map { "  \(padded($0.name, column))\($0.summary)\n" }.joined()
    }

    private func table(_ options: [any AnyOption]) -> String {
        let names = options.map { option in
            let letter = option.short.map { "-\($0), " } ?? "    "
            return "  \(letter)--\(option.name)" + (option.placeholder.isEmpty ? "" : " \(option.placeholder)")
        }
        let column = (names.map(\.count).max() ?? 0) + 3
        var text = ""
        for (name, option) in zip(names, options) {
            var help = option.help
            if !option.defaultText.isEmpty { help += " (default \(option.defaultText))" }
            let lines = wrapped(help, max(width - column, 24))
            text += padded(name, column) + (lines.first ?? "") + "\n"
            for line in lines.dropFirst() { text += padded("", column) + line + "\n" }
        }
        return text
    }
}

/// Text broken into lines of at most `width` characters where it has spaces.
func wrapped(_ text: String, _ width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
        if !line.isEmpty, line.count + 1 + word.count > width {
            lines.append(line)
            line = ""
        }
        line += line.isEmpty ? String(word) : " \(word)"
    }
    if !line.isEmpty { lines.append(line) }
    return lines
}

/// Text filled with spaces on the right.
func padded(_ text: String, _ width: Int) -> String {
    text.count >= width ? text : text + String(repeating: " ", count: width - text.count)
}
