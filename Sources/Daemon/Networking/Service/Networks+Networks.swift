internal import Failures
internal import Linux
internal import Logging
internal import Synchronization

extension Networks {
    func createNow(_ settings: NetworkSettings) async throws -> Network {
        let network = try Self.check(settings)
        try state.withLock { state in
            if state.coming.contains(network.name)
                || state.networks.values.contains(where: { $0.network.name == network.name })
            {
                throw Failure(.conflict, "network with name \(network.name) already exists")
            }
            if let subnet = network.addressing.subnet,
                let other = state.networks.values.first(where: {
                    $0.network.addressing.subnet?.overlaps(subnet) == true
                })?.network
            {
                throw Failure(
                    .forbidden,
                    "invalid pool request: Pool overlaps with other one on this address space: \(subnet) is part of network \(other.name)"
                )
            }
            // Options that make no sense fail before anything is made.
            _ = try BridgePlan(network, mtu: state.mtu)
            let link = try BridgePlan.linkName(network)
            if state.networks.values.contains(where: { $0.bridge?.name == link }) {
                throw Failure(.conflict, "bridge name \(link) is used by another network; choose another")
            }
            state.coming.insert(network.name)
        }
        defer { state.withLock { _ = $0.coming.remove(network.name) } }
        do {
            if network.options[BridgeOption.name] != nil { try await refuseForeignLink(network) }
            let made = try await bringUp(network, isInUse: false)
            let script = state.withLock { state in
                state.networks[made.id]?.bridge.map { state.firewall.addition(of: $0.firewalled) } ?? ""
            }
            try await host.run { tools in try tools.filter.run(script) }
            await passOtherFirewalls()
            logger.info("network created", metadata: ["network": "\(made.name)"])
            return made
        } catch {
            await forget(network, withRules: false)
            throw error
        }
    }

    /// A bridge that the user names must not be somebody else's already: it would be changed, and removed with the network.
    private func refuseForeignLink(_ network: Network) async throws {
        let link = try BridgePlan.linkName(network)
        if try await host.run({ tools in try tools.netlink.link(named: link) }) != nil {
            throw Failure(
                .conflict, "there is a link \(link) on this machine already; choose another name for the bridge")
        }
    }

    /// What the settings ask for as a network, or why it cannot be.
    static func check(_ settings: NetworkSettings) throws(Failure) -> Network {
        let name = settings.name
        if Network.predefinedNames.contains(name) {
            throw Failure(.forbidden, "operation is not permitted on predefined \(name) network")
        }
        let isPlain = name.utf8.enumerated().allSatisfy { index, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            case UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"): index > 0
            default: false
            }
        }
        guard isPlain, !name.isEmpty, name.utf8.count <= 255 else {
            throw Failure(
                .invalid, "invalid network name \"\(name)\": only [a-zA-Z0-9][a-zA-Z0-9_.-]* are allowed")
        }
        let driver = settings.driver.isEmpty || settings.driver == "default" ? "bridge" : settings.driver
        if driver == "host" || driver == "null" {
            throw Failure(.forbidden, "only one instance of \"\(driver)\" network is allowed")
        }
        guard driver == "bridge" else {
            throw Failure(
                .notFound,
                "could not find plugin \(driver) in v1 plugin registry: plugin not found; drivers: bridge, host, null")
        }
        if settings.enableIPv6 {
            throw Failure(.notImplemented, "network \(name): IPv6 networks are not there yet; create it without --ipv6")
        }
        guard settings.addressing.count <= 1 else {
            throw Failure(.invalid, "network \(name): bridge networks have one IPv4 subnet")
        }
        let wish = settings.addressing.first ?? Addressing()
        return Network(
            id: RandomID.make(), name: name, driver: .bridge, created: Clock.wallNanoseconds(),
            isInternal: settings.isInternal,
            isAttachable: settings.isAttachable, labels: settings.labels, options: settings.options,
            addressing: try SubnetChoice.complete(wish, network: name), hasConfiguredSubnet: wish.subnet != nil)
    }

    func removeNow(_ reference: String) async throws -> Network {
        let network = try state.withLock { state in
            let network = try state.resolve(reference).network
            if network.isPredefined {
                throw Failure(.forbidden, "\(network.name) is a pre-defined network and cannot be removed")
            }
            let connected = state.endpoints(of: network.id).map {
                "name:\"\($0.name)\" id:\"\($0.sandbox.prefix(12))\""
            }
            guard connected.isEmpty else {
                throw Failure(
                    .forbidden,
                    "error while removing network: network \(network.name) has active endpoints (\(connected.sorted().joined(separator: ", ")))"
                )
            }
            return network
        }
        await forget(network, withRules: true)
        logger.info("network removed", metadata: ["network": "\(network.name)"])
        return network
    }

    /// Takes a network's rules, bridge and row away; what cannot be removed is logged, and the rest goes all the same.
    private func forget(_ network: Network, withRules: Bool) async {
        let (bridge, script) = state.withLock { state -> (String?, String) in
            let bridge = state.networks.removeValue(forKey: network.id)?.bridge
            let script = withRules ? bridge.map { state.firewall.removal(of: $0.firewalled) } : nil
            return (bridge?.name, script ?? "")
        }
        do { try await host.run { tools in try tools.filter.run(script) } } catch {
            logger.warning(
                "rules of a network are left", metadata: ["network": "\(network.name)", "error": "\(error)"])
        }
        await passOtherFirewalls()
        removeLinks([bridge].compactMap { $0 })
        do { try await records.remove(network.id) } catch {
            logger.warning(
                "the row of a network is left", metadata: ["network": "\(network.name)", "error": "\(error)"])
        }
    }
}
