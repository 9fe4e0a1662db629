import Failures
import Linux
import NIOPosix
import Synchronization
import Testing

@testable import Networking

/// A daemon that dies and comes again, and several on one machine.
@Suite("Networks after a restart, with root", .enabled(if: Fixture.isRoot), .serialized)
struct RestartRootTests {
    /// What the engine would hand over; this process stands for the container's, so the namespace is given by its thread.
    private func recovered(_ sandbox: NetworkSandbox, _ request: SandboxRequest, pid: Int32) -> RecoveredSandbox {
        RecoveredSandbox(id: sandbox.id, pid: pid, request: request, endpoints: sandbox.endpoints, ports: sandbox.ports)
    }

    @Test("running containers are adopted: ports, names and addresses go on; what others left is swept")
    func recovery() async throws {
        try await Fixture.with { fixture in
            _ = try await fixture.networks.create(NetworkSettings(name: "front"))
            var request = fixture.request("web", network: "front")
            request.ports = [PortRequest(hostPorts: 8080...8080, containerPort: 80)]
            let web = try await fixture.networks.attach(request)
            _ = try await fixture.networks.attach(fixture.request("gone", network: "front"))
            let address = try #require(web.endpoints.first?.ipv4)
            let namespace = try #require(web.namespace)
            let process = try #require(try SleepingThread(in: namespace))
            defer { process.end() }
            // The daemon goes without a word: its sockets close, nothing else happens.
            await fixture.networks.shutdown()
            try await fixture.listen(in: web, port: 80) { () async throws in
                #expect(try await fixture.exchangeFromHost(to: .loopback, port: 8080) == "web")
                let second = fixture.daemon(records: fixture.records)
                let failures = try await second.start(recovering: [recovered(web, request, pid: process.id)])
                #expect(failures.isEmpty)
                #expect(try await fixture.exchangeFromHost(to: .loopback, port: 8080) == "web")
                #expect(try await fixture.lookUp("web", from: web, over: .udp) == [address])
                #expect(try await fixture.lookUp("web", from: web, over: .tcp) == [address])
                #expect(second.list().map(\.name) == ["bridge", "front", "host", "none"])
                // Its port is still held, and its address is not given to another.
                var other = fixture.request("other", network: "front")
                other.ports = request.ports
                let refused = await fixture.failure { _ = try await second.attach(other) }
                #expect(refused?.message.hasSuffix("port is already allocated") == true)
                other.ports = []
                for index in 0..<5 {
                    other.id = Fixture.id("o\(index)")
                    #expect(try await second.attach(other).endpoints.first?.ipv4 != address)
                }
                await second.reaper.withLock { $0 }?.settle()
                let known = Set(second.endpoints(of: try second.resolve("front").id).map(\.endpoint.hostInterface))
                #expect(Set(try await fixture.links().filter { $0.hasPrefix("sk") && !$0.hasPrefix("skiff") }) == known)
                await second.teardownAll()
            }
            #expect(try await fixture.links() == ["lo"])
        }
    }

    @Test("a process that is somebody else's by now is not adopted")
    func wrongProcess() async throws {
        try await Fixture.with { fixture in
            let request = fixture.request("web")
            let web = try await fixture.networks.attach(request)
            await fixture.networks.shutdown()
            let second = fixture.daemon(records: fixture.records)
            let failures = try await second.start(recovering: [recovered(web, request, pid: 1)])
            #expect(failures[request.id] != nil)
            #expect(second.sandbox(request.id) == nil)
            await second.teardownAll()
        }
    }

    @Test("two daemons on one machine: other bridges, other subnets, and neither takes the other's away")
    func twoDaemons() async throws {
        try await Fixture.with(instance: "/srv/one") { fixture in
            let second = fixture.daemon(instance: "/srv/two")
            _ = try await second.start()
            let subnets = try [fixture.networks, second].map { try $0.resolve("bridge").addressing.subnet }
            #expect(subnets[0] != subnets[1])
            let one = try await fixture.networks.attach(fixture.request("one"))
            var request = fixture.request("two")
            request.ports = [PortRequest(hostPorts: 8080...8080, containerPort: 80)]
            let two = try await second.attach(request)
            try await fixture.listen(in: two, port: 80) { () async throws in
                #expect(try await fixture.exchangeFromHost(to: .loopback, port: 8080) == "two")
                #expect(
                    try await fixture.exchange(
                        from: one, to: try #require(two.endpoints.first?.ipv4), port: 80, wait: 400) == nil)
                var taken = fixture.request("three")
                taken.ports = request.ports
                let refused = await fixture.failure { _ = try await fixture.networks.attach(taken) }
                #expect(refused?.message.hasSuffix("Bind for 0.0.0.0:8080 failed: port is already allocated") == true)
                await fixture.networks.teardownAll()
                #expect(try await fixture.exchangeFromHost(to: .loopback, port: 8080) == "two")
            }
            await second.teardownAll()
            #expect(try await fixture.links() == ["lo"])
        }
    }

    @Test("fifty at once get fifty addresses, and all is taken away again")
    func fifty() async throws {
        try await Fixture.with { fixture in
            let before = try await fixture.links()
            let addresses = try await withThrowingTaskGroup(of: IPv4Address?.self) { group in
                for index in 0..<50 {
                    let request = fixture.request("c\(index)")
                    group.addTask { try await fixture.networks.attach(request).endpoints.first?.ipv4 }
                }
                var addresses: Set<IPv4Address> = []
                for try await address in group { if let address { addresses.insert(address) } }
                return addresses
            }
            #expect(addresses.count == 50)
            await withTaskGroup { group in
                for index in 0..<50 { group.addTask { await fixture.networks.detach(Fixture.id("c\(index)")) } }
            }
            await fixture.settle()
            #expect(try await fixture.links() == before)
        }
    }
}

/// A thread that waits inside a namespace and so keeps `/proc/<id>/ns/net` there, as a container's process does.
private final class SleepingThread: Sendable {
    let id: Int32
    private let pool = NIOThreadPool(numberOfThreads: 1)
    private let stop: SharedDescriptor

    init?(in namespace: SharedDescriptor) throws {
        let report = try Pipe().release()
        let wait = try Pipe().release()
        stop = SharedDescriptor(OwnedDescriptor(owning: wait.write))
        pool.start()
        pool.submit { _ in
            let reporting = OwnedDescriptor(owning: report.write)
            let waiting = OwnedDescriptor(owning: wait.read)
            try? NetworkNamespace.run(in: namespace.raw) { () throws(SystemError) in
                try writeAll(reporting.raw, try readLink("/proc/thread-self") + "\n")
                _ = try withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { (buffer) throws(SystemError) in
                    try read(waiting.raw, into: buffer)
                }
            }
        }
        let reading = OwnedDescriptor(owning: report.read)
        var text = ""
        while !text.hasSuffix("\n") {
            let bytes = [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
                count = (try? read(reading.raw, into: UnsafeMutableRawBufferPointer(buffer))) ?? 0
            }
            if bytes.isEmpty { return nil }
            text += String(decoding: bytes, as: UTF8.self)
        }
        guard let id = text.split(whereSeparator: { $0 == "/" || $0 == "\n" }).last.flatMap({ Int32($0) }) else {
            return nil
        }
        self.id = id
    }

    /// Lets the thread end.
    func end() {
        try? writeAll(stop.raw, "end")
        pool.shutdownGracefully { _ in }
    }
}
