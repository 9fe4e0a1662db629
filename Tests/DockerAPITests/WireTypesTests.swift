import DockerAPI
import JSON
import Testing

/// Documents as Docker's own daemon and client send them.
@Suite struct WireTypesTests {
    private func decode<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
        try JSONCoder.decode(type, from: Array(text.utf8), keys: .caseInsensitive)
    }

    private func text(_ value: some Encodable) throws -> String {
        String(decoding: try JSONCoder.encode(value), as: UTF8.self)
    }

    @Test func readsALineOfPS() throws {
        let line = try decode(
            ContainerSummary.self,
            #"""
            {"Id":"8dfafdbc3a40","Names":["/boring_feynman"],"Image":"ubuntu:latest","ImageID":"sha256:d74508fb66","Command":"echo 1","Created":1367854155,"State":"exited","Status":"Exited (0) 2 days ago","Ports":[{"PrivatePort":2222,"PublicPort":3333,"Type":"tcp"}],"Labels":{"com.example.vendor":"Acme"},"SizeRw":12288,"HostConfig":{"NetworkMode":"default"},"NetworkSettings":{"Networks":{"bridge":{"IPAMConfig":null,"Links":null,"NetworkID":"7ea29fc14129","Gateway":"172.17.0.1","IPAddress":"172.17.0.2","IPPrefixLen":16}}},"Mounts":null}
            """#)
        #expect(line.names == ["/boring_feynman"])
        #expect(line.ports.first?.publicPort == 3333)
        #expect(line.ports.first?.ip == nil)
        #expect(line.networkSettings.networks["bridge"]?.ipPrefixLength == 16)
        #expect(line.mounts.isEmpty)
        #expect(line.sizeRootFs == nil)
    }

    @Test func readsACreateRequestInAnyCase() throws {
        let request = try decode(
            ContainerCreateRequest.self,
            #"{"image":"alpine","Cmd":["date"],"ExposedPorts":{"22/tcp":{}},"hostConfig":{"Binds":["/tmp:/tmp"],"PortBindings":{"22/tcp":[{"HostPort":"11022"}]},"RestartPolicy":{"Name":"","MaximumRetryCount":0}},"Unknown":{"a":1}}"#
        )
        #expect(request.config.image == "alpine")
        #expect(request.config.exposedPorts?.keys.first == "22/tcp")
        #expect(request.hostConfig?.portBindings?["22/tcp"]?.first?.hostPort == "11022")
        #expect(request.hostConfig?.portBindings?["22/tcp"]?.first?.hostIP == "")
    }

    @Test func whatIsNotSaidIsNotSent() throws {
        var request = ContainerCreateRequest()
        request.config.image = "alpine"
        request.config.cmd = ["a & <b>"]
        #expect(try text(request) == #"{"Cmd":["a & <b>"],"Image":"alpine"}"#)
    }

    @Test func exposedButUnpublishedPortsAreNull() throws {
        var settings = NetworkSettings()
        settings.ports = ["443/tcp": nil]
        let json = try JSONCoder.tree(settings)
        #expect(json["Ports"]?["443/tcp"]?.isNull == true)
        let again = try JSONCoder.value(NetworkSettings.self, from: json)
        #expect(again == settings)
    }

    @Test func emptyListsAreListsAndSomeKeysAreNull() throws {
        #expect(try text(ContainersPruneResponse()) == #"{"ContainersDeleted":[],"SpaceReclaimed":0}"#)
        #expect(try text(VolumeListResponse()) == #"{"Volumes":[],"Warnings":null}"#)
        #expect(try JSONCoder.tree(EndpointSettings())["Aliases"]?.isNull == true)
    }

    @Test func waitSendsNoErrorWithoutOne() throws {
        var answer = ContainerWaitResponse()
        answer.statusCode = 137
        #expect(try text(answer) == #"{"StatusCode":137}"#)
    }

    @Test func aFailureEndsAStreamWithBothSpellings() throws {
        #expect(
            try text(ProgressMessage(failure: "no such thing", code: 4))
                == #"{"errorDetail":{"code":4,"message":"no such thing"},"error":"no such thing"}"#)
    }

    @Test func roundTripsAnInspect() throws {
        var container = ContainerInspect()
        container.id = String(repeating: "a", count: 64)
        container.state.status = "running"
        container.config = ["Image": "alpine"]
        container.execIDs = .null
        let again = try decode(ContainerInspect.self, try text(container))
        #expect(again == container)
    }
}
