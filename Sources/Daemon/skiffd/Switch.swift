internal import ArgumentParser

/// A flag that may stand alone or have a value: `--debug`, `--debug=true`, `--debug=false`, in Go's spellings.
enum Switch: ExpressibleByArgument {
    case on, off

    init?(argument: String) {
        switch argument {
        case "1", "t", "T", "true", "True", "TRUE": self = .on
        case "0", "f", "F", "false", "False", "FALSE": self = .off
        default: return nil
        }
    }

    /// The names of all such flags, by what people may write for them.
    private static let names = ["--debug": "--debug", "-D": "--debug", "--validate": "--validate"]

    /// The words of a command line with every flag that stands alone spelled out.
    ///
    /// The parser's own flags take no value, and its options that may stand alone lose theirs before another option.
    static func spelledOut(_ arguments: [String]) -> [String] {
        arguments.map { word in
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let first = parts.first, let name = names[String(first)] else { return word }
            return parts.count == 1 ? name + "=true" : name + "=" + parts[1]
        }
    }
}
