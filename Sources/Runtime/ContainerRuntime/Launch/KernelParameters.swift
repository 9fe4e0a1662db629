internal import CLinux
internal import Linux
internal import OCI

/// The kernel parameters of a document, checked and then written.
///
/// They are allowed only where the namespace they belong to is the container's own: security law 3 and CVE-2022-0811.
struct KernelParameters: Sendable {
    /// As the document has them, in order.
    ///
    /// Three lists of texts, and none of structures: its type would be made at run time.
    private var names: [String] = []
    /// The files below `sys/` of procfs.
    private var paths: [String] = []
    private var values: [String] = []

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
            names.append(key)
            paths.append(text)
            values.append(linux.sysctl[key] ?? "")
        }
    }

    /// Each with the namespace it belongs to.
    func forEach(
        _ body: (_ name: String, RuntimeSpec.Namespace.Kind) throws(RuntimeFailure) -> Void
    ) throws(RuntimeFailure) {
        for index in names.indices {
            if let kind = Self.namespace(of: paths[index]) { try body(names[index], kind) }
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
        if names.isEmpty { return }
        guard let procfs else {
            throw RuntimeFailure(.sysctl, "the container has no /proc to set kernel parameters by")
        }
        for index in names.indices {
            let path = paths[index], value = values[index]
            try step(.sysctl) { () throws(SystemError) in
                do throws(SystemError) {
                    let file = try open(
                        in: procfs, "sys/" + path, O_WRONLY, resolve: [.beneath, .noSymlinks, .noMountCrossing])
                    try writeAll(file.raw, value)
                } catch {
                    // Its two numbers are groups, which have to be mapped.
                    let groups = path == "net/ipv4/ping_group_range" && error.errno == EINVAL
                    throw error.about(
                        "\(names[index])=\(value)" + (groups ? ", groups this user namespace does not map" : ""))
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
