/// Options that listings share.
enum Formats {
    static let option = Option<String?>.text(
        "format",
        "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go template")
    static let noTruncate = Option<Bool>.flag("no-trunc", "Don't truncate output")
    static let idsOnly = Option<Bool>.flag("quiet", short: "q", "Only display IDs")
    static let force = Option<Bool>.flag("force", short: "f", "Do not prompt for confirmation")
    /// `-f` of the inspecting verbs.
    static let inspect = Option<String?>.text(
        "format", short: "f", "Format output using a custom template: 'json' or a Go template")
}
