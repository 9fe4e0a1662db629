/// How layers say that something below is gone: names that start with `.wh.` (OCI image specification, layer.md).
enum Whiteout {
    static let prefix = Array(".wh.".utf8)
    /// AUFS's own bookkeeping, meant for nobody.
    static let metadataPrefix = Array(".wh..wh.".utf8)
    /// Says that nothing of the lower directory shows here.
    static let opaque = Array(".wh..wh..opq".utf8)

    /// What a name in a layer's tar means.
    enum Meaning: Hashable {
        case ordinary
        /// The sibling of this name is gone.
        case removes([UInt8])
        case makesDirectoryOpaque
        /// To be left out.
        case bookkeeping
        /// A name nobody writes, that would reach the directory itself or its parent.
        case refused
    }

    static func meaning(of name: ArraySlice<UInt8>) -> Meaning {
        guard name.starts(with: prefix) else { return .ordinary }
        if name.elementsEqual(opaque) { return .makesDirectoryOpaque }
        if name.starts(with: metadataPrefix) { return .bookkeeping }
        let target = Array(name.dropFirst(prefix.count))
        if target.isEmpty || target == [0x2e] || target == [0x2e, 0x2e] { return .refused }
        return .removes(target)
    }
}

/// How overlayfs keeps the same in an upper directory: Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".
enum OverlayMark {
    /// On a directory, `y`: nothing of the lower directory shows here.
    ///
    /// A whiteout is a character device 0:0.
    static let opaque = "trusted.overlay.opaque"
    /// The name spaces that steer the mount: never taken from an archive, never written to one.
    static let prefixes = ["trusted.overlay.", "user.overlay."]
    /// What makes a directory's content stand elsewhere, or a file's: such an upper directory cannot be read by itself.
    static let redirect = "trusted.overlay.redirect"
    static let metacopy = "trusted.overlay.metacopy"

    static func isMark(_ attribute: String) -> Bool { prefixes.contains { attribute.hasPrefix($0) } }

    /// Whether an attribute of an archive may be set on the host's file system: what programs store, file capabilities and
    /// access lists; not what labels or measures files for the host's own policy.
    static func isPortable(_ attribute: String) -> Bool {
        if isMark(attribute) { return false }
        return attribute.hasPrefix("user.") || attribute == "security.capability"
            || attribute == "system.posix_acl_access"
            || attribute == "system.posix_acl_default"
    }
}
