internal import DockerAPI
internal import Failures
internal import JSON

/// What a create request means in the version it was made in, said in the newest.
enum CreateShaping {
    static func shape(_ body: JSON, version: APIVersion) throws(Failure) -> JSON {
        guard var body = body.objectValue else { return body }
        try limitEndpoints(body, version)
        if version < APIVersion(1, 42), var host = body.caseInsensitive("HostConfig")?.objectValue {
            // The size of the console was sent, and ignored, before.
            host["ConsoleSize"] = nil
            body["HostConfig"] = .object(host)
        }
        return .object(body)
    }

    /// More than one network at creation came with 1.44.
    private static func limitEndpoints(_ body: JSONObject, _ version: APIVersion) throws(Failure) {
        guard version < APIVersion(1, 44) else { return }
        let endpoints = body.caseInsensitive("NetworkingConfig")?.objectValue?.caseInsensitive("EndpointsConfig")
        guard let names = endpoints?.objectValue?.keys, names.count > 1 else { return }
        throw Failure(
            .invalid,
            "Container cannot be created with multiple network endpoints: \(names.sorted().joined(separator: ", "))")
    }
}
