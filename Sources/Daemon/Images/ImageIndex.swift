internal import Failures
internal import OCI

/// All images in memory, by id, by name and by every digest they are known under.
///
/// Pure.
struct ImageIndex: Sendable {
    private(set) var images: [Digest: Image] = [:]
    private var byName: [Reference: Digest] = [:]

    /// Adds an image, or takes over its new record.
    ///
    /// Names stay.
    mutating func insert(_ image: Image) {
        var image = image
        if let old = images[image.id] {
            image.names = old.names
            image.lastTagged = old.lastTagged
        }
        images[image.id] = image
    }

    /// Forgets an image and its names.
    mutating func remove(_ id: Digest) {
        guard let image = images.removeValue(forKey: id) else { return }
        for name in image.names { byName[name] = nil }
    }

    /// Points a tagged name at an image, away from whichever had it.
    mutating func setName(_ name: Reference, to id: Digest, at time: Int64) {
        guard images[id] != nil else { return }
        removeName(name)
        byName[name] = id
        images[id]?.names.append(name)
        images[id]?.names.sort()
        let before = images[id]?.lastTagged ?? 0
        images[id]?.lastTagged = max(before, time)
    }

    mutating func removeName(_ name: Reference) {
        guard let id = byName.removeValue(forKey: name) else { return }
        images[id]?.names.removeAll { $0 == name }
    }

    func image(named name: Reference) -> Image? { byName[name].flatMap { images[$0] } }

    /// The image a digest stands for: its own, or one that a registry knows it by.
    func image(digest: Digest) -> Image? {
        images[digest] ?? images.values.first { $0.repoDigests.contains { $0.digest == digest } }
    }

    /// How a text that people wrote found its image.
    enum Match: Sendable, Hashable {
        case id
        case name(Reference)
        case digest(Reference)
    }

    /// Finds an image by what people write: a name goes before the beginning of an id, as with Docker.
    func find(_ text: String) throws(Failure) -> (image: Image, match: Match) {
        if text.hasPrefix("sha256:") {
            if let digest = try? Digest(parsing: text), let image = image(digest: digest) { return (image, .id) }
            return (try byPrefix(String(text.dropFirst(7)), of: text), .id)
        }
        if text.utf8.count == 64, let digest = try? Digest(parsing: "sha256:\(text)") {
            guard let image = image(digest: digest) else { throw ImageIndex.missing(text) }
            return (image, .id)
        }
        let reference: Reference
        do { reference = try Reference(parsing: text) } catch {
            if let image = try? byPrefix(text, of: text) { return (image, .id) }
            throw error
        }
        if let digest = reference.digest {
            guard let image = image(digest: digest), image.shownDigests.contains(where: { $0.name == reference.name })
            else {
                throw ImageIndex.missing(text)
            }
            return (image, .digest(reference))
        }
        let name = reference.withDefaultTag
        if let image = image(named: name) { return (image, .name(name)) }
        return (try byPrefix(text, of: text), .id)
    }

    private func byPrefix(_ prefix: String, of text: String) throws(Failure) -> Image {
        guard !prefix.isEmpty, prefix.utf8.count <= 64, prefix.utf8.allSatisfy(ImageIndex.isHex) else {
            throw ImageIndex.missing(text)
        }
        var found: Image?
        for (id, image) in images where id.hex.hasPrefix(prefix) {
            if found != nil { throw Failure(.invalid, "multiple IDs found with provided prefix: \(text)") }
            found = image
        }
        guard let found else { throw ImageIndex.missing(text) }
        return found
    }

    private static func isHex(_ byte: UInt8) -> Bool { (48...57).contains(byte) || (97...102).contains(byte) }

    /// Docker's words, which clients match.
    static func missing(_ text: String) -> Failure {
        let shown = (try? Reference(parsing: text))?.withDefaultTag.familiar ?? text
        return Failure(.notFound, "No such image: \(shown)")
    }
}
