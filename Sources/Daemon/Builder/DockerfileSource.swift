internal import DockerfileSyntax
internal import Failures
internal import Linux

/// Finds the Dockerfile and the ignore file of a context.
struct DockerfileSource {
    private let request: BuildRequest

    init(_ request: BuildRequest) { self.request = request }

    /// The Dockerfile's text; what the ignore file keeps out is taken from the context.
    func take(from context: inout BuildContext) throws -> [UInt8] {
        let path = request.dockerfile.isEmpty ? "Dockerfile" : request.dockerfile
        let text = try request.dockerfileText ?? dockerfile(path, context)
        if text.trimmed.isEmpty { throw Failure(.invalid, "The Dockerfile (\(path)) cannot be empty") }
        // A Dockerfile's own ignore file comes before the context's.
        for name in [path + ".dockerignore", ".dockerignore"] {
            guard let entry = context.tree.resolve(TreePath(name)), entry.kind == .file else { continue }
            do {
                context.tree = context.tree.filtered(
                    by: try Dockerignore(try context.read(entry, limit: Dockerignore.limit)))
            } catch let problem as SyntaxProblem {
                throw Failure(.invalid, "error checking context: \(name): \(problem.message)")
            }
            break
        }
        return text
    }

    private func dockerfile(_ path: String, _ context: BuildContext) throws -> [UInt8] {
        guard !TreePath.leaves(path) else {
            throw Failure(.invalid, "The Dockerfile (\(path)) must be within the build context")
        }
        guard let entry = context.tree.resolve(TreePath(path)) else {
            throw Failure(.invalid, "Cannot locate specified Dockerfile: \(path)")
        }
        guard entry.kind == .file else { throw Failure(.invalid, "The Dockerfile (\(path)) is not a file") }
        guard entry.size <= Int64(DockerfileBudget.text) else {
            throw Failure(.invalid, "The Dockerfile (\(path)) is longer than \(DockerfileBudget.text >> 20) MiB")
        }
        return try context.read(entry, limit: DockerfileBudget.text)
    }
}
