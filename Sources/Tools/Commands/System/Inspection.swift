internal import EngineClient
internal import Failures
internal import JSON

/// What `inspect` of any noun does: look up each name, print all of them.
struct Inspection {
    /// One kind of thing: where it is looked up.
    struct Kind: Sendable {
        let name: String
        let path: @Sendable (String) -> String

        static let container = Kind(name: "container") { "\(ContainerRun.path($0))/json" }
        static let image = Kind(name: "image") { "/images/\(pathPart($0))/json" }
        static let network = Kind(name: "network") { "/networks/\(pathPart($0))" }
        static let volume = Kind(name: "volume") { "/volumes/\(pathPart($0))" }
        static let all: [Kind] = [.container, .image, .network, .volume]
    }

    let invocation: Invocation
    let kinds: [Kind]
    var query: [(String, String)] = []

    func run(format: String?) throws(Failure) -> ExitCode {
        let client = try invocation.engine()
        let template = try format.flatMap { $0 == "json" ? nil : $0 }.map { text throws(Failure) in
            try Template(unescaped(text))
        }
        var found: [JSON] = []
        var failures: [String] = []
        for name in invocation.arguments {
            do throws(Failure) { found.append(try look(for: name, client)) } catch {
                if error.kind == .unavailable, !(error.cause is EngineError) { throw error }
                failures.append(Report.line(for: error))
            }
        }
        var code = failures.isEmpty ? ExitCode.success : .failure
        switch (template, format) {
        case (let template?, _):
            for object in found {
                do throws(Failure) { invocation.console.print(try template.render(object)) } catch {
                    invocation.console.error(error.message)
                    code = .failure
                }
            }
        case (nil, "json"?):
            for object in found { invocation.console.print(object.text) }
        default:
            invocation.console.write(JSON.array(found).serialized(pretty: true))
            invocation.console.print("")
        }
        for failure in failures { invocation.console.error(failure) }
        return code
    }

    private func look(for name: String, _ client: EngineClient) throws(Failure) -> JSON {
        for kind in kinds {
            do throws(Failure) { return try client.json(Request(.get, kind.path(name), query: query)) } catch {
                guard kinds.count > 1, (error.cause as? EngineError)?.status == 404 else { throw error }
            }
        }
        throw Failure(.notFound, "Error: No such object: \(name)")
    }
}
