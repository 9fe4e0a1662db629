internal import Failures

/// `skiff pull`.
enum PullImage {
    private static let allTags = Option<Bool>.flag(
        "all-tags", short: "a", "Download all tagged images in the repository")
    private static let platform = Option<String?>.text(
        "platform", "Set platform if server is multi-platform capable")
    private static let quiet = Option<Bool>.flag("quiet", short: "q", "Suppress verbose output")

    static let verb = Verb(
        "pull", "Download an image from a registry", usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
        options: [allTags, platform, quiet], arguments: 1...1
    ) { invocation throws(Failure) in
        let puller = ImagePull(
            client: try invocation.engine(), console: invocation.console, environment: invocation.environment)
        let reference = try puller.pull(
            invocation.arguments[0], platform: invocation[platform], quiet: invocation[quiet], toStandardError: false,
            allTags: invocation[allTags])
        invocation.console.print(reference)
        return .success
    }
}
