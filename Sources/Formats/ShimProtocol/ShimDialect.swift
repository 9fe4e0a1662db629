/// What one side of the protocol understands: told by a shim in its answer to `hello`.
///
/// A shim is as old as its container, a daemon is as new as the last upgrade, so a daemon talks to shims of every earlier
/// release. The rules that keep this possible:
///
/// - The two bytes before a message never change their meaning; `version` there stays 1.
/// - A message may gain members and loses none. Members nobody knows are ignored, absent ones mean what they meant
///   before they existed.
/// - A request nobody knows is answered with `failed` under its own tag; an event nobody knows is skipped.
/// - What the words mean is counted by `revision`. A daemon asks a shim only for what is in its `requests`, and tells the
///   person which container has to be restarted otherwise.
public struct ShimDialect: Sendable, Hashable {
    /// Counts changes of meaning; the first release is 1.
    public var revision: Int
    /// The requests that are understood, by their wire names.
    public var requests: Set<String>

    public init(revision: Int, requests: Set<String>) {
        self.revision = revision
        self.requests = requests
    }

    /// What shims understood before they told: all of the first release.
    public static let first = ShimDialect(
        revision: 1,
        requests: [
            "launch", "hello", "attach", "exec", "signal", "resize", "pause", "resume", "update", "processes", "forget",
            "collect",
        ])

    /// What this code understands.
    public static let current = ShimDialect(revision: 2, requests: first.requests)

    /// Whether a request can be asked of whoever speaks this.
    public func understands(_ request: ShimRequest) -> Bool { requests.contains(request.name) }
}
