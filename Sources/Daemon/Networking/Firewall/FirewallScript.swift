internal import Linux

/// What the packet filter shall do, as text for libnftables.
///
/// Pure.
///
/// One table of our own for each daemon, whose name nobody else has; nothing outside it is read or changed. Base chains
/// of several tables see every packet one after the other, so each rule here asks first whether the packet is about one
/// of our bridges. All that changes while containers come and go is in sets and maps: publishing a port adds an element.
///
/// ```
/// raw          from a bridge to 127/8 → drop         (route_localnet is on there; see below)
/// prerouting   to an address of the host → publish   (never 127/8: that comes from this machine only)
/// output       to an address of the host → publish   (the host itself, loopback included)
/// publish      map port → container
/// forward      into our bridges only: replies, published ports, neighbours on the same bridge
/// postrouting  leaving a subnet → masquerade; loopback and hairpin → masquerade, so that replies come back here
/// ```
struct FirewallScript: Sendable, Hashable {
    /// The table's name, in family `ip`.
    let table: String
    var bridges: [FirewalledBridge] = []
    var ports: [ForwardedPort] = []
    /// Drop what would be forwarded between interfaces that are no bridges: since forwarding was off before we
    /// turned it on, the host must not become a router by it.
    var guardsForwarding = false

    /// The table as a whole in one transaction: what was there before is gone and the new is in force at the same moment.
    var replacement: String {
        var text = "add table ip \(table)\ndelete table ip \(table)\n"
        text += "table ip \(table) {\n" + Self.fixed
        if guardsForwarding { text += Self.guardChain }
        text += "}\n"
        for bridge in bridges { text += addition(of: bridge) }
        text += additions(of: ports)
        return text
    }

    var removal: String { "add table ip \(table)\ndelete table ip \(table)\n" }

    /// Succeeds only when the guard is in force.
    var guardQuery: String { "list chain ip \(table) guard\n" }

    static let fixed = """
        map published_at { type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service; }
        map published { type inet_proto . inet_service : ipv4_addr . inet_service; }
        set bridges { type ifname; }
        set internal { type ifname; }
        set same_bridge { type ifname . ifname; }
        set translated { type ipv4_addr; flags interval; }
        set at_home { type ifname . ipv4_addr; flags interval; }
        set hairpin { type ipv4_addr . ipv4_addr; flags interval; }
        chain raw {
        type filter hook prerouting priority raw; policy accept;
        iifname @bridges ip daddr 127.0.0.0/8 drop
        }
        chain publish {
        dnat ip to meta l4proto . ip daddr . th dport map @published_at
        dnat ip to meta l4proto . th dport map @published
        }
        chain prerouting {
        type nat hook prerouting priority dstnat; policy accept;
        iifname @internal return
        ip daddr != 127.0.0.0/8 fib daddr type local jump publish
        }
        chain output {
        type nat hook output priority -100; policy accept;
        fib daddr type local jump publish
        }
        chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr @translated oifname . ip saddr != @at_home masquerade
        ip saddr 127.0.0.0/8 oifname @bridges masquerade
        ct status dnat ip saddr . ip daddr @hairpin masquerade
        }
        chain forward {
        type filter hook forward priority filter; policy accept;
        iifname != @bridges oifname != @bridges accept
        iifname . oifname @same_bridge accept
        iifname @internal drop
        oifname @internal drop
        ct state established,related accept
        oifname @bridges ct status dnat accept
        oifname @bridges drop
        }

        """

    static let guardChain = """
        chain guard {
        type filter hook forward priority filter; policy accept;
        meta iifkind != "bridge" meta oifkind != "bridge" drop
        }

        """

    func addition(of bridge: FirewalledBridge) -> String { elements("add", bridge) }
    func removal(of bridge: FirewalledBridge) -> String { elements("delete", bridge) }

    private func elements(_ verb: String, _ bridge: FirewalledBridge) -> String {
        let name = "\"\(bridge.name)\""
        var parts = [("bridges", name), ("same_bridge", "\(name) . \(name)")]
        if bridge.isInternal { parts.append(("internal", name)) }
        if bridge.translates {
            parts.append(("translated", "\(bridge.subnet.network)"))
            parts.append(("at_home", "\(name) . \(bridge.subnet.network)"))
        }
        parts.append(("hairpin", "\(bridge.subnet.network) . \(bridge.subnet.network)"))
        return parts.map { "\(verb) element ip \(table) \($0.0) { \($0.1) }\n" }.joined()
    }

    func additions(of ports: [ForwardedPort]) -> String { elements("add", ports) }
    func removals(of ports: [ForwardedPort]) -> String { elements("delete", ports) }

    private func elements(_ verb: String, _ ports: [ForwardedPort]) -> String {
        var text = ""
        let everywhere = ports.filter { $0.hostIP == .any }
        let somewhere = ports.filter { $0.hostIP != .any }
        if !everywhere.isEmpty {
            text += "\(verb) element ip \(table) published { "
            text += everywhere.map { "\($0.proto.rawValue) . \($0.hostPort) : \($0.target) . \($0.containerPort)" }
                .joined(separator: ", ")
            text += " }\n"
        }
        if !somewhere.isEmpty {
            text += "\(verb) element ip \(table) published_at { "
            text += somewhere.map {
                "\($0.proto.rawValue) . \($0.hostIP) . \($0.hostPort) : \($0.target) . \($0.containerPort)"
            }
            .joined(separator: ", ")
            text += " }\n"
        }
        return text
    }
}

/// What the packet filter knows of a bridge.
struct FirewalledBridge: Sendable, Hashable {
    /// The link's name; made by us, so free of anything that means something to nftables.
    let name: String
    let subnet: IPv4Prefix
    /// Nothing in or out.
    var isInternal = false
    /// Leaves with the host's address (`enable_ip_masquerade`).
    var translates = true
}

/// A port of the host and where it leads.
struct ForwardedPort: Sendable, Hashable {
    let hostIP: IPv4Address
    let hostPort: UInt16
    let target: IPv4Address
    let containerPort: UInt16
    let proto: PortProtocol
}
