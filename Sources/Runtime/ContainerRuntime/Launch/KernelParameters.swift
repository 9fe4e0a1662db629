internal import CLinux
internal import Linux
internal import OCI

/// The kernel parameters of a document, checked and then written.
///
/// They are allowed only where the namespace they belong to is the container's own: security law 3 and CVE-2022-0811.
struct KernelParameters: Sendable {
    struct Parameter: Sendable {
        /// As the document has it.
        let name: String
        /// The file below `sys/` of procfs.
        fileprivate let path: String
        fileprivate let value: String
        /// The namespace it belongs to.
        let kind: RuntimeSpec.Namespace.Kind
    }

    private(set) var list: [Parameter] = []

    /// - Parameter joinsNetwork: whether a network namespace is given beside the document.
    init(_ linux: RuntimeSpec.LinuxSettings, joinsNetwork: Bool) throws(RuntimeFailure) {
        for key in linux.sysctl.keys.sorted() {
            // sysctl(8) accepts `net/ipv4/ip_forward` for `net.ipv4.ip_forward`.
            let path = key.utf8.map { $0 == UInt8(ascii: ".") ? UInt8(ascii: "/") : $0 }
            var parts = Fields(path, separatedBy: UInt8(ascii: "/"))
            while let part = parts.next() {
                guard part.isEmpty || !path[part].allSatisfy(Self.isAllowed) else { continue }
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
            list.append(Parameter(name: key, path: text, value: linux.sysctl[key] ?? "", kind: kind))
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
        if list.isEmpty { return }
        guard let procfs else {
            throw RuntimeFailure(.sysctl, "the container has no /proc to set kernel parameters by")
        }
        for parameter in list {
            try step(.sysctl) { () throws(SystemError) in
                do throws(SystemError) {
                    let file = try open(
                        in: procfs, "sys/" + parameter.path, O_WRONLY,
                        resolve: [.beneath, .noSymlinks, .noMountCrossing])
                    try writeAll(file.raw, parameter.value)
                } catch {
                    // Its two numbers are groups, which have to be mapped.
                    let groups = parameter.path == "net/ipv4/ping_group_range" && error.errno == EINVAL
                    throw error.about(
                        "\(parameter.name)=\(parameter.value)"
                            + (groups ? ", groups this user namespace does not map" : ""))
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
