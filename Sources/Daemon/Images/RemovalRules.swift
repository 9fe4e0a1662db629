internal import Failures
internal import OCI

/// Decides what `docker rmi` does: which names go, whether the image goes, or why not.
///
/// Pure.
///
/// (moby `daemon/images/image_delete.go`; the texts are Docker's, and clients show them)
struct RemovalRules: Sendable {
    let image: Image
    let uses: [ImageUse]
    let force: Bool

    struct Plan: Sendable, Hashable {
        /// Tagged names that go.
        var names: [Reference] = []
        /// Registry digests that go.
        var digests: [Reference] = []
        var deletes = false
    }

    func plan(_ match: ImageIndex.Match) throws(Failure) -> Plan {
        switch match {
        case .id: return try byID()
        case .name(let name): return try byReference(name)
        case .digest(let reference):
            guard image.repoDigests.contains(where: { $0.name == reference.name && $0.digest == reference.digest })
            else {
                return try byID()
            }
            return try byReference(reference)
        }
    }

    /// A name goes; with the last one the image does, unless something holds it.
    private func byReference(_ reference: Reference) throws(Failure) -> Plan {
        var plan = Plan()
        var names = image.names
        var digests = image.repoDigests
        if reference.digest == nil {
            names.removeAll { $0 == reference }
            plan.names = [reference]
            // The digests of a repository whose last tag goes mean nothing without it.
            if !names.contains(where: { $0.name == reference.name }) {
                digests.removeAll { $0.name == reference.name }
            }
        } else {
            digests.removeAll { $0.name == reference.name && $0.digest == reference.digest }
        }
        plan.digests = image.repoDigests.filter { !digests.contains($0) }
        let isLast = names.isEmpty && !digests.contains { $0.name != reference.name }
        if isLast, !force, let use = uses.first {
            throw Failure(
                .conflict,
                "conflict: unable to remove repository reference \"\(reference.familiar)\" (must force) - container "
                    + "\(use.container.prefix(12)) is using its referenced image \(image.id.short)")
        }
        guard isLast else { return plan }
        plan.digests += digests
        // A container still stands on it: the name goes, the image stays until the container does.
        plan.deletes = !uses.contains { $0.running } && (uses.isEmpty || force)
        return plan
    }

    private func byID() throws(Failure) -> Plan {
        let repositories = Set(image.names.map(\.name) + image.repoDigests.map(\.name))
        if let use = uses.first(where: \.running) {
            throw conflict("cannot be forced", "image is being used by running container \(use.container.prefix(12))")
        }
        if !force {
            if image.names.count > 1 || repositories.count > 1 {
                throw conflict("must be forced", "image is referenced in multiple repositories")
            }
            if let use = uses.first {
                throw conflict("must be forced", "image is being used by stopped container \(use.container.prefix(12))")
            }
        }
        return Plan(names: image.names, digests: image.repoDigests, deletes: true)
    }

    private func conflict(_ remedy: String, _ reason: String) -> Failure {
        Failure(.conflict, "conflict: unable to delete \(image.id.short) (\(remedy)) - \(reason)")
    }
}
