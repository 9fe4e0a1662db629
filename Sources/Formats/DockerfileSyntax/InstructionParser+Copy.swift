extension InstructionParser {
    private static let copyFlags = ["from", "chown", "chmod", "link", "parents", "exclude"]
    private static let addFlags = ["chown", "chmod", "link", "exclude", "checksum", "keep-git-dir", "unpack"]

    func copy(
        _ flags: [String], _ rest: String, _ heredocs: [Heredoc], _ keyword: String
    ) throws(SyntaxProblem) -> Instruction.Copy {
        let set = try FlagSet(
            flags, known: keyword == "ADD" ? Self.addFlags : Self.copyFlags, repeated: ["exclude"],
            booleans: ["link", "parents", "keep-git-dir", "unpack"])
        var words = try Words.jsonStrings(rest) ?? rest.fields
        guard words.count > 1, let destination = words.popLast() else {
            let count =
                words.isEmpty ? "none were provided" : "only one was provided. Destination could not be determined"
            throw SyntaxProblem("\(keyword) requires at least two arguments, but \(count)")
        }
        guard Heredoc.opened(by: destination, escape: escape) == nil else {
            throw SyntaxProblem("\(keyword) cannot accept a heredoc as a destination")
        }
        var copy = Instruction.Copy(sources: [], destination: destination)
        var opened = heredocs[...]
        for word in words {
            if let heredoc = Heredoc.opened(by: word, escape: escape), let next = opened.first,
                next.name == heredoc.name
            {
                copy.heredocs.append(next)
                opened.removeFirst()
            } else {
                copy.sources.append(word)
            }
        }
        copy.from = set.string("from")
        if let from = copy.from {
            if from.isEmpty { throw SyntaxProblem("missing a value on flag: from") }
            if !copy.heredocs.isEmpty { throw SyntaxProblem("COPY --from cannot take a heredoc as a source") }
        }
        copy.owner = set.string("chown")
        copy.mode = set.string("chmod")
        if let mode = copy.mode, !mode.contains("$"), FileMode(mode) == nil {
            throw SyntaxProblem("invalid chmod parameter: '\(mode)': it should be octal, or symbolic like u=rwX,go=rX")
        }
        copy.link = try set.bool("link") ?? false
        copy.parents = try set.bool("parents") ?? false
        copy.excludes = set.strings("exclude")
        copy.checksum = set.string("checksum")
        copy.keepsGitDirectory = try set.bool("keep-git-dir") ?? false
        copy.unpack = try set.bool("unpack")
        return copy
    }
}
