internal import Failures

/// `skiff inspect`, and `inspect` below each noun.
enum InspectObjects {
    private static let type = Option<String?>.text("type", "Only inspect objects of the given type")
    private static let size = Option<Bool>.flag(
        "size", short: "s", "Display total file sizes if the type is container")

    static let verb = Verb(
        "inspect", "Return low-level information on Docker objects", usage: "[OPTIONS] NAME|ID [NAME|ID...]",
        options: [Formats.inspect, type, size], arguments: atLeast(1)
    ) { invocation throws(Failure) in
        var kinds = Inspection.Kind.all
        if let name = invocation[type], !name.isEmpty {
            kinds = kinds.filter { $0.name == name }
            guard !kinds.isEmpty else {
                let names = Inspection.Kind.all.map { "\"\($0.name)\"" }.sorted().joined(separator: ", ")
                throw Failure(.invalid, "unknown type: \"\(name)\": must be one of \(names)")
            }
        }
        let query = invocation[size] ? [("size", "1")] : []
        return try Inspection(invocation: invocation, kinds: kinds, query: query).run(
            format: invocation[Formats.inspect])
    }

    static let container = noun(
        .container, "Display detailed information on one or more containers", "CONTAINER", [size])
    static let image = noun(.image, "Display detailed information on one or more images", "IMAGE", [])
    static let network = noun(.network, "Display detailed information on one or more networks", "NETWORK", [])
    static let volume = noun(.volume, "Display detailed information on one or more volumes", "VOLUME", [])

    private static func noun(
        _ kind: Inspection.Kind, _ summary: String, _ argument: String, _ more: [any AnyOption]
    ) -> Verb {
        Verb(
            "inspect", summary, usage: "[OPTIONS] \(argument) [\(argument)...]",
            options: [Formats.inspect] as [any AnyOption] + more, arguments: atLeast(1)
        ) { invocation throws(Failure) in
            let query = more.isEmpty || !invocation[size] ? [] : [("size", "1")]
            return try Inspection(invocation: invocation, kinds: [kind], query: query)
                .run(format: invocation[Formats.inspect])
        }
    }
}
