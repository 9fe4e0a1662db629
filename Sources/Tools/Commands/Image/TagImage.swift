internal import EngineClient
internal import Failures
internal import JSON
internal import OCI

/// `skiff tag`.
enum TagImage {
    static let verb = Verb(
        "tag", "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE", usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
        arguments: 2...2
    ) { invocation throws(Failure) in
        let target = try Reference(parsing: invocation.arguments[1])
        guard target.digest == nil else { throw Failure(.invalid, "refusing to create a tag with a digest reference") }
        let whole = target.withDefaultTag
        try invocation.engine().json(
            Request(
                .post, "/images/\(pathPart(invocation.arguments[0]))/tag",
                query: [("repo", whole.familiarName), ("tag", whole.tag ?? "latest")]))
        return .success
    }
}
