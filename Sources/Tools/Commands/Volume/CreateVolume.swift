internal import EngineClient
internal import Failures
internal import JSON

/// `skiff volume create`.
enum CreateVolume {
    private static let driver = Option<String?>.text(
        "driver", short: "d", "Specify volume driver name", defaultText: "\"local\"")
    private static let options = Option<[String]>.list(
        "opt", short: "o", "Set driver specific options", placeholder: "map")
    private static let labels = Option<[String]>.list("label", "Set metadata for a volume")
    private static let name = Option<String?>.text("name", "Specify volume name").hidden

    static let verb = Verb(
        "create", "Create a volume", usage: "[OPTIONS] [VOLUME]", options: [driver, options, labels, name],
        arguments: 0...1
    ) { invocation throws(Failure) in
        if invocation[name] != nil, !invocation.arguments.isEmpty {
            throw Failure(
                .invalid,
                "conflicting options: cannot specify a volume-name through both --name and as a positional arg")
        }
        let request: JSON = [
            "Name": .string(invocation.arguments.first ?? invocation[name] ?? ""),
            "Driver": .string(invocation[driver] ?? "local"),
            "DriverOpts": JSON(CreateNetwork.pairs(invocation[options])),
            "Labels": JSON(CreateNetwork.pairs(invocation[labels])),
        ]
        let answer = try invocation.engine().json(Request(.post, "/volumes/create", body: .json(request)))
        invocation.console.print(answer["Name"]?.stringValue ?? "")
        return .success
    }
}
