/// Something that happened to a thing of the engine, as Docker's `/events` tells it.
public struct Event: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case container, image, volume, network, daemon, builder
    }

    public let kind: Kind
    /// `start`, `die`, or with data behind a colon: `exec_create: sh`, `health_status: healthy`.
    public let action: String
    /// The thing's id (containers, networks, images by the name used) or name (volumes).
    public let actor: String
    public let attributes: [String: String]
    public let time: Timestamp

    public init(
        _ kind: Kind, _ action: String, actor: String, attributes: [String: String] = [:], time: Timestamp = .now
    ) {
        (self.kind, self.action, self.actor, self.attributes, self.time) = (kind, action, actor, attributes, time)
    }

    /// The action without its data: what a filter is compared with.
    public var verb: String {
        action.firstIndex(of: ":").map { String(action[..<$0]) } ?? action
    }
}
