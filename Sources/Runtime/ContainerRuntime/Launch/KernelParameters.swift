internal import CLinux
internal import Linux
internal import OCI

/// The kernel parameters of a document, checked and then written.
///
/// They are allowed only where the namespace they belong to is the container's own: security law 3 and CVE-2022-0811.
struct KernelParameters: Sendable {
    /// Names below `sys/` of procfs, and their values.
    private var writes: [(name: String, path: String, value: String)] = []
    /// Each name and the namespace it belongs to.
    private(set) var names: [(name: String, kind: RuntimeSpec.Namespace.Kind)] = []

    /// - Parameter joinsNetwork: whether a network namespace is given beside the document.
    init(_ linux: RuntimeSpec.LinuxSettings, joinsNetwork: Bool) throws(RuntimeFailure) {
        for (key, value) in linux.sysctl.sorted(by: { $0.key < $1.key }) {
            // sysctl(8) accepts `net/ipv4/ip_forward` for `net.ipv4.ip_forward`.
            let path = key.utf8.map { $0 == UInt8(ascii: ".") ? UInt8(ascii: "/") : $0 }
            let parts = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            guard parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(Self.isAllowed) }) else {
                throw RuntimeFailure(.specification, "sysctl \"\(key)\": not the name of a kernel parameter")
            }
            let text = String(decoding: path, as: UTF8.self)
            if text == "kernel/hostname" {
                throw RuntimeFailure(
                    .specification, "sysctl \"\(key)\": hostname says it, or the host's would be meant")
            }
            guard let kind = Self.namespace(of: text) else {
                throw RuntimeFailure(.specification, "sysctl \"\(key)\" is not in a separate kernel namespace")
            }
            guard linux.namespace(kind) != nil || (kind == .network && joinsNetwork) else {
                throw RuntimeFailure(
                    .specification, "sysctl \"\(key)\" is not allowed in the host's \(kind.rawValue) namespace")
            }
            writes.append((key, text, value))
            names.append((key, kind))
        }
    }

    /// Which namespace a parameter belongs to, nil for one of the whole machine.
    private static func namespace(of path: String) -> RuntimeSpec.Namespace.Kind? {
        if path.hasPrefix("net/") { return .network }
        if path.hasPrefix("fs/mqueue/") || ipc.contains(path) { return .ipc }
        return path == "kernel/domainname" ? .uts : nil
    }

    private static let ipc: Set<String> = [
        "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem", "kernel/shmall", "kernel/shmmax",
        "kernel/shmmni", "kernel/shm_rmid_forced",
    ]

    private static func isAllowed(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
    }

    /// - Parameter procfs: the container's, proven to be one.
    func write(_ procfs: Int32?) throws(RuntimeFailure) {
        if writes.isEmpty { return }
        guard let procfs else {
            throw RuntimeFailure(.sysctl, "the container has no /proc to set kernel parameters by")
        }
        for (name, path, value) in writes {
            try step(.sysctl) { () throws(SystemError) in
                do throws(SystemError) {
                    let file = try open(
                        in: procfs, "sys/" + path, O_WRONLY, resolve: [.beneath, .noSymlinks, .noMountCrossing])
                    try writeAll(file.raw, value)
                } catch {
                    // Its two numbers are groups, which have to be mapped.
                    let groups = path == "net/ipv4/ping_group_range" && error.errno == EINVAL
                    throw error.about("\(name)=\(value)\(groups ? ", groups this user namespace does not map" : "")")
                }
            }
        }
    }
}

extension UInt8 {
    var isASCIIAlphanumeric: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
