/// What happens when a container's process ends by itself: Docker's `RestartPolicy`.
public struct RestartPolicy: Sendable, Hashable {
    public enum Name: String, Sendable, Hashable {
        case no
        case always
        case unlessStopped = "unless-stopped"
        case onFailure = "on-failure"
    }

    public let name: Name
    /// How often `on-failure` tries; 0 is without end.
    public let maximumRetries: Int

    public init(_ name: Name, maximumRetries: Int = 0) { (self.name, self.maximumRetries) = (name, maximumRetries) }

    public static let never = RestartPolicy(.no)
}
