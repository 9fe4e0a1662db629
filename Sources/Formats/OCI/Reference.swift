public import Failures

/// The name of an image: `[domain/]path[:tag][@digest]`, normalised as Docker does it.
///
/// What people type is short ("alpine"), what the store and registries use is whole ("docker.io/library/alpine:latest").
/// A reference is always whole inside; ``familiar`` gives the short form back. The grammar is that of
/// distribution/reference, so that exactly the same texts are accepted.
public struct Reference: Sendable, Hashable {
    /// The registry: "docker.io", "localhost:5000", "[::1]:5000".
    public let domain: String
    /// The repository within the registry: "library/alpine".
    public let path: String
    public let tag: String?
    public let digest: Digest?

    private static let defaultDomain = "docker.io"
    private static let legacyDefaultDomain = "index.docker.io"
    private static let officialPrefix = "library/"
    private static let defaultTag = "latest"
    private static let maximumPathLength = 255
    private static let maximumTagLength = 128

    private init(domain: String, path: String, tag: String?, digest: Digest?) {
        self.domain = domain
        self.path = path
        self.tag = tag
        self.digest = digest
    }

    /// - Throws: `invalid reference format`, a text that Docker's clients match.
    public init(parsing text: String) throws(Failure) {
        guard text.utf8.count <= 1024 else { throw Self.invalid }
        if text.utf8.count == 64, text.utf8.allSatisfy(\.isLowercaseHexDigit) {
            throw Failure(
                .invalid,
                "invalid repository name (\(text)), cannot specify 64-byte hexadecimal strings")
        }
        let (domain, remainder) = Self.splitDomain(text)
        var rest = remainder
        var digest: Digest?
        if let at = rest.firstIndex(of: "@") {
            do { digest = try Digest(parsing: String(rest[rest.index(after: at)...])) } catch {
                throw Failure(.invalid, Self.invalid.message, cause: error)
            }
            rest = String(rest[..<at])
        }
        var tag: String?
        if let colon = rest.firstIndex(of: ":") {
            let text = String(rest[rest.index(after: colon)...])
            guard Self.isTag(text) else { throw Self.invalid }
            tag = text
            rest = String(rest[..<colon])
        }
        guard !rest.utf8.contains(where: \.isUppercaseLetter) else {
            throw Failure(.invalid, "\(Self.invalid.message): repository name (\(rest)) must be lowercase")
        }
        guard Self.isDomain(domain), Self.isPath(rest) else { throw Self.invalid }
        guard rest.utf8.count <= Self.maximumPathLength else {
            throw Failure(.invalid, "repository name must not be more than \(Self.maximumPathLength) characters")
        }
        self.init(domain: domain, path: rest, tag: tag, digest: digest)
    }

    private static let invalid = Failure(.invalid, "invalid reference format")

    // MARK: Forms

    /// Domain and path: "docker.io/library/alpine".
    public var name: String { "\(domain)/\(path)" }

    /// Domain and path as people write them: "alpine", "ghcr.io/owner/thing".
    public var familiarName: String {
        guard domain == Self.defaultDomain else { return name }
        let official = path.hasPrefix(Self.officialPrefix) && !path.dropFirst(Self.officialPrefix.count).contains("/")
        return official ? String(path.dropFirst(Self.officialPrefix.count)) : path
    }

    /// The whole reference as people write it: "alpine:latest", "alpine@sha256:…".
    public var familiar: String { familiarName + suffix }

    private var suffix: String {
        (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
    }

    /// Neither tag nor digest: the repository alone.
    public var isNameOnly: Bool { tag == nil && digest == nil }

    /// The same with tag "latest" when it has neither tag nor digest.
    public var withDefaultTag: Reference { isNameOnly ? with(tag: Self.defaultTag) : self }

    /// The repository alone.
    public var withoutTagOrDigest: Reference { Reference(domain: domain, path: path, tag: nil, digest: nil) }

    /// The same repository with that tag and no digest.
    /// - Precondition: the tag is valid; see ``init(parsing:)`` and ``with(validating:)`` for text from outside.
    public func with(tag: String) -> Reference {
        precondition(Self.isTag(tag), "not a tag")
        return Reference(domain: domain, path: path, tag: tag, digest: nil)
    }

    /// The same repository with a tag that came from outside.
    public func with(validating tag: String) throws(Failure) -> Reference {
        guard Self.isTag(tag) else { throw Failure(.invalid, "invalid tag format") }
        return with(tag: tag)
    }

    /// The same reference pinned to that digest; the tag stays.
    public func with(digest: Digest) -> Reference {
        Reference(domain: domain, path: path, tag: tag, digest: digest)
    }

    // MARK: Grammar

    /// What the text is under which registry, with Docker's defaults filled in.
    private static func splitDomain(_ text: String) -> (domain: String, rest: String) {
        var domain = defaultDomain
        var rest = text
        if let slash = text.firstIndex(of: "/") {
            let first = String(text[..<slash])
            let isDomain =
                first == "localhost" || first.contains(".") || first.contains(":") || first.lowercased() != first
            if isDomain {
                domain = first == legacyDefaultDomain ? defaultDomain : first
                rest = String(text[text.index(after: slash)...])
            }
        }
        if domain == defaultDomain, !rest.contains("/") { rest = officialPrefix + rest }
        return (domain, rest)
    }

    /// Host components or a bracketed IPv6 address, and perhaps a port.
    private static func isDomain(_ text: String) -> Bool {
        var host = text[...]
        if host.hasPrefix("[") {
            guard let close = host.firstIndex(of: "]") else { return false }
            let address = host[host.index(after: host.startIndex)..<close].utf8
            guard !address.isEmpty, address.allSatisfy({ $0.isHexDigit || $0 == UInt8(ascii: ":") }) else {
                return false
            }
            let rest = host[host.index(after: close)...]
            return rest.isEmpty || (rest.hasPrefix(":") && isPort(rest.dropFirst()))
        }
        if let colon = host.firstIndex(of: ":") {
            guard isPort(host[host.index(after: colon)...]) else { return false }
            host = host[..<colon]
        }
        return host.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { component in
            guard let first = component.first, let last = component.last else { return false }
            return first.isAlphanumeric && last.isAlphanumeric
                && component.allSatisfy { $0.isAlphanumeric || $0 == UInt8(ascii: "-") }
        }
    }

    private static func isPort(_ text: Substring) -> Bool { !text.isEmpty && text.utf8.allSatisfy(\.isDigit) }

    private static func isPath(_ text: String) -> Bool {
        text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy(isPathComponent)
    }

    /// Whether the text is a part of a path.
    ///
    /// `[a-z0-9]+ ( ( [.] | [_] | [_][_] | [-]+ ) [a-z0-9]+ )*`
    private static func isPathComponent(_ component: Substring.UTF8View.SubSequence) -> Bool {
        var separator: [UInt8] = []
        var sawWord = false
        for byte in component {
            if byte.isDigit || byte.isLowercaseLetter {
                guard separator.isEmpty || (sawWord && isSeparator(separator)) else { return false }
                separator.removeAll(keepingCapacity: true)
                sawWord = true
            } else {
                separator.append(byte)
            }
        }
        return sawWord && separator.isEmpty
    }

    private static func isSeparator(_ bytes: [UInt8]) -> Bool {
        switch bytes.first {
        case UInt8(ascii: "."): bytes.count == 1
        case UInt8(ascii: "_"): bytes.count == 1 || bytes == Array("__".utf8)
        case UInt8(ascii: "-"): bytes.allSatisfy { $0 == UInt8(ascii: "-") }
        default: false
        }
    }

    /// Whether the text is a tag.
    ///
    /// `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`
    public static func isTag(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= maximumTagLength else { return false }
        guard first.isAlphanumeric || first == UInt8(ascii: "_") else { return false }
        return text.utf8.allSatisfy { $0.isAlphanumeric || "_.-".utf8.contains($0) }
    }
}

extension Reference: CustomStringConvertible {
    /// The whole form: "docker.io/library/alpine:latest".
    public var description: String { name + suffix }
}

extension Reference: Comparable {
    public static func < (left: Reference, right: Reference) -> Bool { left.description < right.description }
}

extension Reference: Codable {
    public init(from decoder: any Decoder) throws {
        try self.init(parsing: decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
