internal import JSON
public import OCI

/// A container's document, whose system call filter is still the text it came as.
///
/// Most of what engines write is the filter, the same for nearly every container: it is compared with the one that was kept
/// instead of being read. See ``SeccompFilter``.
public struct RuntimeDocument: Sendable {
    /// The document without its filter.
    public let spec: RuntimeSpec
    private let text: [UInt8]
    private let rules: Range<Int>?

    /// - Parameter isForEntry: whether only what holds for each of the container's processes is asked for: its mounts, limits,
    ///   devices, namespaces and hooks are left out.
    /// - Throws: `JSON.ParseError` or `Failure`, for what is not such a document.
    public init(_ text: [UInt8], isForEntry: Bool = false) throws {
        let (document, rules) = try JSON.parse(
            text, settingAside: ["linux", "seccomp"], leavingOut: isForEntry ? Self.onlyForCreation : [])
        spec = try RuntimeSpec(json: document)
        self.text = text
        self.rules = rules
    }

    private static var onlyForCreation: [String] {
        ["mounts", "hooks", "namespaces", "resources", "devices", "maskedPaths", "readonlyPaths", "sysctl"]
    }

    /// The filter's program and what the document says of it, as ``SeccompFilter/program(forText:)`` has it; nil where it has none.
    public func filter(by filters: SeccompFilter) throws(RuntimeFailure) -> SeccompFilter.Compiled? {
        if let rules { return try filters.program(forText: text[rules]) }
        // Found under a name in other letters, as every member may be.
        guard let seccomp = spec.linux.seccomp else { return nil }
        return SeccompFilter.Compiled(seccomp: seccomp, program: try filters.program(for: seccomp))
    }
}
