internal import EngineClient
internal import Failures
internal import JSON

/// `skiff rename`.
enum RenameContainer {
    static let verb = Verb("rename", "Rename a container", usage: "CONTAINER NEW_NAME", arguments: 2...2) {
        invocation throws(Failure) in
        let name = invocation.arguments[1]
        guard !name.isEmpty else {
            throw Failure(.invalid, "Error: Neither old nor new names may be empty")
        }
        let client = try invocation.engine()
        let path = "\(ContainerRun.path(invocation.arguments[0]))/rename"
        do throws(Failure) { try client.json(Request(.post, path, query: [("name", name)])) } catch {
            guard error.cause is EngineError else { throw error }
            invocation.console.error(Report.line(for: error))
            throw Failure(.invalid, "Error: failed to rename container named \(invocation.arguments[0])")
        }
        return .success
    }
}
