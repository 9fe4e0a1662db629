/// The three files by which a container's C library knows names: pure text, written by whoever owns the container's folder.
public struct NameFiles: Sendable, Hashable {
    /// `/etc/hosts`
    public var hosts: String
    /// `/etc/resolv.conf`
    public var resolvConf: String
    /// `/etc/hostname`
    public var hostname: String

    public init(hosts: String, resolvConf: String, hostname: String) {
        self.hosts = hosts
        self.resolvConf = resolvConf
        self.hostname = hostname
    }
}
