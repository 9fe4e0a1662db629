internal import Failures
internal import JSON

/// What a registry said instead of yes: the status and the first error of its JSON body.
/// (distribution-spec, "Error Codes")
struct RegistryError: Sendable, Hashable {
    var status: UInt
    /// `MANIFEST_UNKNOWN` and the like; empty when the body said nothing.
    var code: String
    var message: String

    init(status: UInt, body: [UInt8]) {
        self.status = status
        let first = (try? JSON.parse(body))?["errors"]?.arrayValue?.first
        code = first?["code"]?.stringValue ?? ""
        message = String((first?["message"]?.stringValue ?? "").prefix(512))
    }

    /// The code in words and what was said beside it, once where both say the same: `manifest unknown`.
    var words: String {
        if code.isEmpty { return "status \(status)" }
        let name = code.lowercased().split(separator: "_").joined(separator: " ")
        return message.isEmpty || message.lowercased() == name ? name : "\(name): \(message)"
    }

    /// Whether more rights might have helped.
    var isDenied: Bool { status == 401 || status == 403 || code == "DENIED" || code == "UNAUTHORIZED" }
    var isUnknown: Bool { status == 404 }
    /// Whether the same request may well succeed later.
    var isPassing: Bool { status == 429 || status >= 500 }
}
