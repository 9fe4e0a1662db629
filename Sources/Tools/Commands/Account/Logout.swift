internal import Failures

/// `skiff logout`.
enum Logout {
    static let verb = Verb("logout", "Log out from a registry", usage: "[SERVER]", arguments: 0...1) {
        invocation throws(Failure) in
        var config = try ConfigFile(invocation.environment)
        let domain = invocation.arguments.first ?? "docker.io"
        let key = ConfigFile.key(for: domain)
        if try config.remove(domain) {
            invocation.console.print("Removing login credentials for \(key)")
        } else {
            invocation.console.print("Not logged in to \(key)")
        }
        return .success
    }
}
