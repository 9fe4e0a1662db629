internal import DockerfileSyntax
public import Failures
public import OCI

/// Instructions that change a config and nothing else, given one by one: `--change` of an import.
public enum DockerfileChanges {
    private static let allowed: Set<String> = [
        "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "SHELL", "STOPSIGNAL", "USER",
        "VOLUME", "WORKDIR",
    ]

    /// The config that the instructions make of nothing.
    ///
    /// - Throws: `invalid` for an instruction that would need a tree, and for what no Dockerfile may say.
    public static func config(_ changes: [String]) throws(Failure) -> ImageConfig.Config {
        for change in changes {
            let word = change.drop { $0 == " " || $0 == "\t" }.prefix { $0.isLetter }.uppercased()
            guard allowed.contains(word) else {
                throw Failure(.invalid, "\(word.lowercased()) is not a valid change command")
            }
        }
        do throws(DockerfileError) {
            let file = try Dockerfile.parse(Array((["FROM scratch"] + changes).joined(separator: "\n").utf8))
            let arguments = BuildArguments([:], target: .host, stage: "default")
            let plan = try Planner.plan(
                file, try StageSelection(file, target: nil, arguments: arguments), arguments, images: [:])
            var config = plan.result.config
            // A stage begins with a PATH for its steps; there are none here.
            if !changes.contains(where: { $0.contains("PATH=") }) { config.env.removeAll { $0.hasPrefix("PATH=") } }
            return config
        } catch {
            throw Failure(.invalid, error.message, cause: error)
        }
    }
}
