internal import Failures
internal import JSON
internal import Linux
internal import OCI

/// `daemon.json`: dockerd's keys, with dockerd's complaints.
struct ConfigurationFile {
    /// What it says, by key.
    let values: [String: ConfigurationValue]
    /// Keys that Skiff takes note of and that change nothing, for the log.
    let ignored: [String]

    static let empty = ConfigurationFile(values: [:], ignored: [])
    static let standardPath = "/etc/skiff/daemon.json"

    private enum Kind { case text, flag, number, list, runtimes, pools, pairs, builder }

    private static let keys: [String: Kind] = [
        "attach-patience": .number, "hosts": .list, "data-root": .text, "exec-root": .text, "pidfile": .text,
        "debug": .flag, "log-level": .text,
        "bip": .text, "mtu": .number, "dns": .list, "dns-search": .list, "dns-opts": .list,
        "default-address-pools": .pools, "default-runtime": .text, "runtimes": .runtimes, "insecure-registries": .list,
        "registry-mirrors": .list, "group": .text, "labels": .list, "cgroup-parent": .text, "exec-opts": .list,
        "log-driver": .text, "log-opts": .pairs, "default-shm-size": .text, "max-concurrent-downloads": .number,
        "max-concurrent-uploads": .number, "max-download-attempts": .number, "builder": .builder,
    ]

    /// Keys of dockerd's whose ordinary value is what Skiff does anyway.
    private static let harmless: Set<String> = [
        "containerd", "experimental", "features", "ip-forward", "ip-masq", "iptables", "ip6tables",
        "live-restore", "raw-logs", "shutdown-timeout", "storage-driver", "userland-proxy",
    ]

    /// Keys of dockerd's that Skiff has nothing for: to go on as if they had not been said could leave a machine open.
    private static let unsupported: Set<String> = [
        "authorization-plugins", "bridge", "default-cgroupns-mode", "default-gateway", "default-ipc-mode",
        "default-ulimits", "fixed-cidr", "icc", "init", "ip", "ipv6", "metrics-addr",
        "no-new-privileges", "seccomp-profile", "selinux-enabled", "tls", "tlscacert", "tlscert", "tlskey",
        "tlsverify", "userns-remap",
    ]

    /// Reads the file at `path`; a missing one is empty unless it was asked for by name.
    static func read(_ path: String, mustExist: Bool) throws(Failure) -> ConfigurationFile {
        let bytes: [UInt8]
        do {
            bytes = try readFile(path, limit: 1 << 20)
        } catch {
            if !mustExist, !exists(path) { return .empty }
            throw Failure(.invalid, "unable to configure the daemon with file \(path): \(error.reason)", cause: error)
        }
        do {
            return try parse(bytes)
        } catch {
            throw Failure(
                error.kind, "unable to configure the daemon with file \(path): \(error.message)", cause: error)
        }
    }

    static func parse(_ bytes: [UInt8]) throws(Failure) -> ConfigurationFile {
        let document: JSON
        do { document = try JSON.parse(bytes) } catch { throw Failure(.invalid, "\(error)", cause: error) }
        guard let object = document.objectValue else { throw Failure(.invalid, "the document is no object") }
        let unknown = object.keys.filter { keys[$0] == nil && !harmless.contains($0) && !unsupported.contains($0) }
        guard unknown.isEmpty else {
            throw Failure(
                .invalid,
                "the following directives don't match any configuration option: \(unknown.sorted().joined(separator: ", "))"
            )
        }
        var values: [String: ConfigurationValue] = [:]
        var ignored: [String] = []
        for (key, value) in object {
            if let kind = keys[key] {
                values[key] = try self.value(key, value, kind)
            } else if harmless.contains(key) {
                ignored.append(key)
            } else if value != .bool(false), value != .string(""), value != .array([]) {
                throw Failure(.invalid, "the directive \(key) is not supported yet: remove it")
            }
        }
        return ConfigurationFile(values: values, ignored: ignored)
    }

    /// Refuses what flag and file both say, as dockerd does: neither could be meant to win.
    func check(against given: [String: ConfigurationValue]) throws(Failure) {
        let conflicts = values.keys.filter { given[$0] != nil }.sorted().map { key in
            "\(key): (from flag: \(given[key].map(\.description) ?? ""), from file: \(values[key].map(\.description) ?? ""))"
        }
        guard conflicts.isEmpty else {
            throw Failure(
                .invalid,
                "the following directives are specified both as a flag and in the configuration file: \(conflicts.joined(separator: ", "))"
            )
        }
    }

    private static func value(_ key: String, _ value: JSON, _ kind: Kind) throws(Failure) -> ConfigurationValue {
        func wrong(_ wanted: String) -> Failure { Failure(.invalid, "the directive \(key) must be \(wanted)") }
        switch kind {
        case .text:
            if let number = value.intValue { return .text(String(number)) }
            guard let text = value.stringValue else { throw wrong("a string") }
            return .text(text)
        case .flag:
            guard let flag = value.boolValue else { throw wrong("true or false") }
            return .flag(flag)
        case .number:
            guard let number = value.intValue else { throw wrong("a number") }
            return .text(String(number))
        case .list:
            guard let items = value.arrayValue?.map(\.stringValue), !items.contains(nil) else {
                throw wrong("a list of strings")
            }
            return .list(items.compactMap { $0 })
        case .runtimes:
            guard let object = value.objectValue else { throw wrong("an object of runtimes") }
            var runtimes: [String: RuntimeProgram] = [:]
            for (name, runtime) in object { runtimes[name] = try program(name, runtime) }
            return .runtimes(runtimes)
        case .pools:
            guard let pools = value.arrayValue else { throw wrong("a list of address pools") }
            var texts: [String] = []
            for pool in pools {
                guard let base = pool["base"]?.stringValue, let size = pool["size"]?.intValue else {
                    throw wrong("a list of pools with base and size")
                }
                texts.append("base=\(base),size=\(size)")
            }
            return .list(texts)
        case .builder: return .list(try builder(value))
        case .pairs:
            guard let object = value.objectValue else { throw wrong("an object of strings") }
            var pairs: [String] = []
            for (name, option) in object {
                guard let text = option.stringValue else { throw wrong("an object of strings") }
                pairs.append("\(name)=\(text)")
            }
            return .list(pairs)
        }
    }

    /// `{"path": "/usr/bin/runsc", "runtimeArgs": ["--platform=ptrace"]}`.
    private static func program(_ name: String, _ value: JSON) throws(Failure) -> RuntimeProgram {
        guard let object = value.objectValue else {
            throw Failure(.invalid, "the directive runtimes.\(name) must be an object")
        }
        for (key, member) in object where key != "path" && key != "runtimeArgs" && !member.isNull {
            // A type is the name of a shim of containerd's: what it is, and what its options mean, only containerd knows.
            throw Failure(
                .invalid,
                "the directive runtimes.\(name).\(key) is not supported: name a program of the OCI's command line by path"
            )
        }
        guard let path = object["path"]?.stringValue else {
            throw Failure(.invalid, "the directive runtimes.\(name) needs the path of a program")
        }
        guard let arguments = object["runtimeArgs"], !arguments.isNull else { return RuntimeProgram(path: path) }
        guard let words = arguments.arrayValue?.map(\.stringValue), !words.contains(nil) else {
            throw Failure(.invalid, "the directive runtimes.\(name).runtimeArgs must be a list of strings")
        }
        return RuntimeProgram(path: path, arguments: words.compactMap { $0 })
    }

    private static let limits: Set<String> = [
        "defaultKeepStorage", "defaultReservedSpace", "defaultMaxUsedSpace", "defaultMinFreeSpace",
    ]

    /// `{"gc": {"enabled": true, "defaultMaxUsedSpace": "20GB"}}` as `name=value` lines.
    private static func builder(_ value: JSON) throws(Failure) -> [String] {
        guard let object = value.objectValue else { throw Failure(.invalid, "the directive builder must be an object") }
        for (key, member) in object where key != "gc" {
            // What lets steps do more than a container may cannot be switched on here.
            let isOff = member.objectValue?.allSatisfy { $1 == .bool(false) } ?? member.isNull
            guard key.lowercased() == "entitlements", isOff else {
                throw Failure(.invalid, "the directive builder.\(key) is not supported: remove it")
            }
        }
        guard let gc = object["gc"], !gc.isNull else { return [] }
        guard let rules = gc.objectValue else { throw Failure(.invalid, "the directive builder.gc must be an object") }
        var lines: [String] = []
        for (key, rule) in rules {
            if key == "enabled", let enabled = rule.boolValue {
                lines.append("enabled=\(enabled)")
            } else if limits.contains(key), let text = rule.stringValue ?? rule.intValue.map(String.init) {
                lines.append("\(key)=\(text)")
            } else if key == "policy", rule == .array([]) || rule.isNull {
                continue
            } else {
                throw Failure(
                    .invalid,
                    "the directive builder.gc.\(key) is not supported: the cache has enabled and "
                        + limits.sorted().joined(separator: ", "))
            }
        }
        return lines
    }
}
