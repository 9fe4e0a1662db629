internal import Engine

/// How a container is, in the words of `docker ps`.
enum StatusText {
    static func text(_ state: ContainerState, now: Timestamp) -> String {
        switch state.status {
        case .created: return "Created"
        case .running:
            let up = "Up \(since(state.startedAt, now))"
            guard let health = state.health else { return up }
            return up + (health.status == .starting ? " (health: starting)" : " (\(health.status.rawValue))")
        case .paused: return "Up \(since(state.startedAt, now)) (Paused)"
        case .restarting: return "Restarting (\(state.exitCode)) \(since(state.finishedAt, now)) ago"
        case .removing: return "Removal In Progress"
        case .dead: return "Dead"
        case .exited: return "Exited (\(state.exitCode)) \(since(state.finishedAt, now)) ago"
        }
    }

    private static func since(_ moment: Timestamp, _ now: Timestamp) -> String {
        duration(seconds: max(0, now.seconds - moment.seconds))
    }

    /// A duration as people say it. (go-units `HumanDuration`.)
    static func duration(seconds: Int64) -> String {
        let minutes = seconds / 60
        let hours = (seconds + 1800) / 3600
        switch true {
        case seconds < 1: return "Less than a second"
        case seconds == 1: return "1 second"
        case seconds < 60: return "\(seconds) seconds"
        case minutes == 1: return "About a minute"
        case minutes < 60: return "\(minutes) minutes"
        case hours == 1: return "About an hour"
        case hours < 48: return "\(hours) hours"
        case hours < 24 * 7 * 2: return "\(hours / 24) days"
        case hours < 24 * 30 * 2: return "\(hours / 24 / 7) weeks"
        case hours < 24 * 365 * 2: return "\(hours / 24 / 30) months"
        default: return "\(seconds / 3600 / 24 / 365) years"
        }
    }
}
