internal import Engine
internal import Failures
internal import Images
internal import OCI

/// Which images a list or a prune is about.
struct ImageFilter: Sendable {
    private let filters: Filters
    private let dangling: Bool?
    private let before: Timestamp?
    private let since: Timestamp?
    private let until: Timestamp?

    init(_ filters: Filters, images: ImageStore) throws(Failure) {
        self.filters = filters
        dangling = try filters.flag("dangling")
        before = try Self.image(filters["before"], images)?.made
        since = try Self.image(filters["since"], images)?.made
        until = try PruneService.until(filters)
    }

    func matches(_ image: Image) -> Bool {
        if let dangling, image.isDangling != dangling { return false }
        if let before, image.made >= before { return false }
        if let since, image.made <= since { return false }
        if let until, image.created >= until.seconds { return false }
        guard filters.matchesLabels(image.config.config?.labels ?? [:]) else { return false }
        let patterns = filters["reference"]
        return patterns.isEmpty || patterns.contains { pattern in image.names.contains { Self.matches($0, pattern) } }
    }

    /// The names that were asked for; nil where none were, and all are shown.
    func names(of image: Image) -> [Reference]? {
        let patterns = filters["reference"]
        if patterns.isEmpty { return nil }
        return image.names.filter { name in patterns.contains { Self.matches(name, $0) } }
    }

    /// A shell pattern against the short name, with or without its tag, as Docker's `reference.FamiliarMatch`.
    static func matches(_ name: Reference, _ pattern: String) -> Bool {
        Glob.matches(pattern, name.familiar) || Glob.matches(pattern, name.familiarName)
    }

    private static func image(_ names: [String], _ images: ImageStore) throws(Failure) -> Image? {
        guard let name = names.first else { return nil }
        return try images.resolve(name)
    }
}

extension Image {
    /// When it was made, to the nanosecond: several are made in one second.
    fileprivate var made: Timestamp { config.created.flatMap { Timestamp(rfc3339: $0) } ?? .never }
}

/// Go's `path.Match`: `*` and `?` stop at a slash, `[…]` is a class, `\` takes the next byte as it is.
enum Glob {
    static func matches(_ pattern: String, _ text: String) -> Bool {
        matches(Array(pattern.utf8)[...], Array(text.utf8)[...])
    }

    private static func matches(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
        var (pattern, text) = (pattern, text)
        // Where to go on when a star took too little: star's rest of the pattern, and the text behind what it took.
        var retry: (pattern: ArraySlice<UInt8>, text: ArraySlice<UInt8>)?
        while true {
            if let first = pattern.first, first == UInt8(ascii: "*") {
                pattern.removeFirst()
                retry = (pattern, text)
                continue
            }
            if pattern.isEmpty, text.isEmpty { return true }
            if let rest = step(&pattern, text) {
                text = rest
                continue
            }
            guard let saved = retry, let skipped = saved.text.first, skipped != UInt8(ascii: "/") else { return false }
            retry = (saved.pattern, saved.text.dropFirst())
            (pattern, text) = (saved.pattern, saved.text.dropFirst())
        }
    }

    /// Matches one thing that is no star against one byte; nil when it does not.
    private static func step(_ pattern: inout ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let wanted = pattern.first, let byte = text.first else { return nil }
        switch wanted {
        case UInt8(ascii: "?"):
            guard byte != UInt8(ascii: "/") else { return nil }
            pattern.removeFirst()
        case UInt8(ascii: "["):
            guard let end = pattern.dropFirst(2).firstIndex(of: UInt8(ascii: "]")) else { return nil }
            guard contains(pattern[(pattern.startIndex + 1)..<end], byte) else { return nil }
            pattern = pattern[(end + 1)...]
        case UInt8(ascii: "\\"):
            guard pattern.dropFirst().first == byte else { return nil }
            pattern.removeFirst(2)
        default:
            guard wanted == byte else { return nil }
            pattern.removeFirst()
        }
        return text.dropFirst()
    }

    private static func contains(_ members: ArraySlice<UInt8>, _ byte: UInt8) -> Bool {
        var members = members
        let negated = members.first == UInt8(ascii: "^")
        if negated { members.removeFirst() }
        var found = false
        while let low = members.popFirst() {
            guard members.first == UInt8(ascii: "-"), members.count > 1 else {
                found = found || low == byte
                continue
            }
            members.removeFirst()
            let high = members.removeFirst()
            found = found || (low <= byte && byte <= high)
        }
        return found != negated
    }
}
