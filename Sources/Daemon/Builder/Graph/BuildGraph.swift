/// A place in a graph.
struct VertexID: Hashable, Sendable, Comparable {
    let index: Int
    static func < (left: VertexID, right: VertexID) -> Bool { left.index < right.index }
}

/// What there is to do, and what needs what: no cycles, since a vertex can only name those that were there before it.
///
/// A vertex is known by a digest of its definition and its inputs' digests. Adding an equal one gives back the first: two
/// stages that begin alike share their beginning.
struct BuildGraph<Operation: Sendable>: Sendable {
    struct Vertex: Sendable {
        let id: VertexID
        let operation: Operation
        /// What it stands on first, then what it copies from.
        let inputs: [VertexID]
        let digest: Digest
    }

    private(set) var vertices: [Vertex] = []
    private var known: [Digest: VertexID] = [:]

    /// - Parameter definition: a digest of everything that says what the operation is.
    mutating func add(_ operation: Operation, definition: Digest, inputs: [VertexID] = []) -> VertexID {
        var digest = DefinitionDigest("vertex")
        digest.add(definition)
        for input in inputs { digest.add(self[input].digest) }
        let name = digest.finish()
        if let id = known[name] { return id }
        let id = VertexID(index: vertices.count)
        vertices.append(Vertex(id: id, operation: operation, inputs: inputs, digest: name))
        known[name] = id
        return id
    }

    subscript(_ id: VertexID) -> Vertex { vertices[id.index] }

    /// The targets and all they need, in an order in which they can be done.
    func closure(of targets: [VertexID]) -> [VertexID] {
        var needed = [Bool](repeating: false, count: vertices.count)
        for target in targets { needed[target.index] = true }
        // Inputs have smaller numbers, so one walk from the end finds them all.
        for vertex in vertices.reversed() where needed[vertex.id.index] {
            for input in vertex.inputs { needed[input.index] = true }
        }
        return vertices.map(\.id).filter { needed[$0.index] }
    }
}
