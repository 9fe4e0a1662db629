internal import EngineClient
internal import Failures
internal import JSON
internal import OCI

/// What this program is.
enum Program {
    static let version = "0.1.0"
    static let userAgent = "Skiff-Client/\(version) (linux)"
}

/// `skiff version`.
enum ShowVersion {
    static let verb = Verb(
        "version", "Show the Skiff version information", usage: "[OPTIONS]", options: [Formats.inspect]
    ) {
        invocation throws(Failure) in
        let client = try invocation.engine()
        let server: JSON
        var problem: Failure?
        do throws(Failure) { server = try client.json(Request(.get, "/version")) } catch {
            server = .null
            problem = error
        }
        let mine: JSON = [
            "Version": .string(Program.version), "ApiVersion": .string(client.version),
            "DefaultAPIVersion": .string(EngineClient.newestVersion), "Os": "linux",
            "Arch": .string(Platform.host.architecture), "Context": "default",
        ]
        switch invocation[Formats.inspect] {
        case nil: invocation.console.write(text(mine, server))
        case "json"?: invocation.console.print((["Client": mine, "Server": server] as JSON).text)
        case let format?:
            if let problem, format.has(".Server") { throw problem }
            invocation.console.print(try Template(unescaped(format)).render(["Client": mine, "Server": server]))
        }
        if let problem { throw problem }
        return .success
    }

    private static func text(_ client: JSON, _ server: JSON) -> String {
        func line(_ indent: Int, _ name: String, _ value: String?) -> String {
            let start = String(repeating: " ", count: indent) + name + ":"
            return "\(padded(start, indent + 18))\(value ?? "")\n"
        }
        func platform(_ object: JSON) -> String {
            "\(object["Os"]?.stringValue ?? "")/\(object["Arch"]?.stringValue ?? "")"
        }
        var text = "Client:\n"
        text += line(1, "Version", client["Version"]?.stringValue)
        text += line(1, "API version", client["ApiVersion"]?.stringValue)
        text += line(1, "OS/Arch", platform(client))
        guard !server.isNull else { return text }
        let name = server["Platform"]?["Name"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 } ?? "Skiff"
        text += "\nServer: \(name)\n"
        for component in server["Components"]?.arrayValue ?? [] {
            text += " \(component["Name"]?.stringValue ?? ""):\n"
            text += line(2, "Version", component["Version"]?.stringValue)
            let details = component["Details"]
            if component["Name"]?.stringValue == "Engine" {
                let range =
                    "\(details?["ApiVersion"]?.stringValue ?? server["ApiVersion"]?.stringValue ?? "")"
                    + " (minimum version \(server["MinAPIVersion"]?.stringValue ?? ""))"
                text += line(2, "API version", range)
                text += line(2, "Kernel version", server["KernelVersion"]?.stringValue)
                text += line(2, "OS/Arch", platform(server))
            }
            if let commit = details?["GitCommit"]?.stringValue { text += line(2, "GitCommit", commit) }
        }
        return text
    }
}
