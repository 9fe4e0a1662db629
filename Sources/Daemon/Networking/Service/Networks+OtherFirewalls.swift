internal import Failures
internal import Linux
internal import Logging
internal import Synchronization

extension Networks {
    /// Lets our bridges through the chain that `iptables` keeps, now and whenever another program has changed it.
    ///
    /// What fails here is logged: containers run all the same, and only where another firewall stands in their way do they miss it.
    func watchOtherFirewalls() async {
        do {
            let socket = try await host.run { _ in
                let socket = try NetlinkSocket(family: NetlinkSocket.netfilter)
                try socket.hearRulesetChanges()
                return SocketBox(socket)
            }
            if let socket = socket.take() {
                let fresh = try RulesetMonitor(socket: socket, logger: logger) { [weak self] in
                    await self?.passOtherFirewalls()
                }
                monitor.withLock { $0 = fresh }
            }
        } catch {
            logger.warning("changes of the packet filter are not heard of", metadata: ["error": "\(error)"])
        }
        await passOtherFirewalls()
        await warnOfLegacyTables()
    }

    /// Brings the rules in `iptables`' chain to the bridges there are.
    func passOtherFirewalls() async {
        let mark = names.table
        do {
            try await host.run { [self] tools in
                let bridges = state.withLock { $0.networks.values.compactMap { $0.bridge?.name }.sorted() }
                try tools.letThrough(bridges, mark: mark)
            }
        } catch {
            logger.warning(
                "the rules in iptables' chain FORWARD are not what they should be; traffic of containers may be dropped there",
                metadata: ["error": "\(error)"])
        }
    }

    /// Tables of the old interface (`iptables-legacy`) are seen by no nf_tables listing, and change without a word.
    private func warnOfLegacyTables() async {
        let tables = try? await host.run { _ in try readText("/proc/thread-self/net/ip_tables_names", limit: 4096) }
        guard tables?.split(separator: "\n").contains("filter") == true else { return }
        logger.warning(
            "iptables-legacy has a filter table here, whose rules Skiff neither sees nor changes; if its chain FORWARD drops, let the bridges through there"
        )
    }
}

extension HostNetwork.Tools {
    /// Makes and removes rules in `iptables`' chain `FORWARD`, so that these bridges and no others are let through by rules with this mark.
    ///
    /// Nothing happens where there is no such chain.
    func letThrough(_ bridges: [String], mark: String) throws(Failure) {
        var attempt = 1
        while let chain = try filter.list(ForwardChain.query).flatMap(ForwardChain.init(listing:)) {
            do throws(Failure) { return try filter.run(chain.script(bridges: bridges, mark: mark)) } catch {
                // A rule named in the script may have gone since it was listed.
                attempt += 1
                if attempt > 3 { throw error }
            }
        }
    }
}
