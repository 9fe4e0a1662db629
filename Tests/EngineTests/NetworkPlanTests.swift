import Failures
import JSON
import Linux
import Networking
import Testing

@testable import Engine

@Suite struct NetworkPlanTests {
    @Test func portsAreParsedOrRefused() throws {
        let host = try Fixture.host([
            "PortBindings": [
                "80/tcp": [["HostIp": "127.0.0.1", "HostPort": "8080"]], "53/udp": [["HostPort": "5300-5310"]],
                "443": [],
                "81/tcp": [["HostIp": "::", "HostPort": "81"], ["HostIp": "0.0.0.0", "HostPort": "0"]],
            ]
        ])
        #expect(
            try NetworkPlan.ports(host.portBindings) == [
                PortRequest(containerPort: 443), PortRequest(hostPorts: 5300...5310, containerPort: 53, proto: .udp),
                PortRequest(hostIP: .loopback, hostPorts: 8080...8080, containerPort: 80),
                PortRequest(hostIP: .any, containerPort: 81),
            ])
        for bad in ["0/tcp", "x", "80/bogus", "80/tcp/udp", "65536", "-1", ""] {
            #expect(throws: Failure.self) { try NetworkPlan.port(bad) }
        }
        for bad in ["x", "10-5", "1-2-3", "70000", "-", "0-5"] {
            #expect(throws: Failure.self) {
                try NetworkPlan.ports(["80/tcp": [PortBinding(hostIP: "", hostPort: bad)]])
            }
        }
        #expect(throws: Failure.self) {
            try NetworkPlan.ports(["80/tcp": [PortBinding(hostIP: "nowhere", hostPort: "1")]])
        }
    }

    private func attachments(_ mode: String, _ endpoints: [String]) throws -> [String] {
        try NetworkPlan.attachments(
            host: try Fixture.host(["NetworkMode": .string(mode)]), config: try Fixture.config(),
            endpoints: endpoints.map { EndpointSettings(network: $0) }
        ).map(\.networkName)
    }

    @Test func theModesNetworkComesFirst() throws {
        #expect(try attachments("default", []) == ["bridge"])
        #expect(try attachments("mine", ["other", "mine"]) == ["mine", "other"])
        #expect(try attachments("bridge", ["default"]) == ["bridge"])
        #expect(try attachments("host", []) == ["host"])
        #expect(try attachments("none", ["none"]) == ["none"])
        #expect(try attachments("container:x", []) == [])
        #expect(throws: Failure.self) { try attachments("host", ["mine"]) }
    }

    @Test func publishAllLeavesOutWhatIsBoundByHand() throws {
        let config = try Fixture.config(["Cmd": ["x"], "ExposedPorts": ["80/tcp": [:], "90/udp": [:]]])
        let host = try Fixture.host(["PublishAllPorts": true, "PortBindings": ["80/tcp": [["HostPort": "1"]]]])
        let request = try NetworkPlan.request(
            id: "i", name: "n", hostname: "h", config: config, host: host, networks: [])
        #expect(request.publishAll == [ExposedPort(90, .udp)])
        #expect(request.ports.count == 1)
    }

    @Test func hostAndNoneHaveNoEndpoints() throws {
        for (mode, expected) in [("host", SandboxMode.host), ("none", .isolated)] {
            let host = try Fixture.host(["NetworkMode": .string(mode), "PortBindings": ["80/tcp": [["HostPort": "1"]]]])
            let request = try NetworkPlan.request(
                id: "i", name: "n", hostname: "h", config: try Fixture.config(), host: host,
                networks: try NetworkPlan.attachments(host: host, config: try Fixture.config(), endpoints: []))
            #expect(request.mode == expected)
            #expect(request.endpoints.isEmpty)
            #expect(request.ports.isEmpty)
        }
    }

    @Test func fixedAddressesAreChecked() {
        for (key, value) in [("IPv4Address", "1.2.3"), ("IPv6Address", "fd00::1")] {
            #expect(throws: Failure.self) {
                try NetworkPlan.endpoint(
                    try EndpointSettings(network: "n", json: ["IPAMConfig": [key: .string(value)]]))
            }
        }
        #expect(throws: Failure.self) {
            try NetworkPlan.endpoint(try EndpointSettings(network: "n", json: ["MacAddress": "zz"]))
        }
    }
}
