internal import EngineClient
internal import Failures
internal import JSON

/// `skiff rename`.
enum RenameContainer {
    static let verb = Verb("rename", "Rename a container", usage: "CONTAINER NEW_NAME", arguments: 2...2) {
        invocation throws(Failure) in
        let name = invocation.arguments[1]
        guard !name.isEmpty else {
            throw Failure(.invalid, "error: Neither old nor new names may be empty")
        }
        let path = "\(ContainerRun.path(invocation.arguments[0]))/rename"
        try invocation.engine().json(Request(.post, path, query: [("name", name)]))
        return .success
    }
}
