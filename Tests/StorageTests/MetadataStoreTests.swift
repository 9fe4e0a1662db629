import Failures
import OCI
import Storage
import Testing

@Suite("MetadataStore")
struct MetadataStoreTests {
    let scratch: Scratch
    let store: MetadataStore
    static let one = Digest(sha256: String(repeating: "1", count: 64))
    static let two = Digest(sha256: String(repeating: "2", count: 64))

    init() throws {
        scratch = try Scratch()
        store = try MetadataStore(path: "\(scratch.path)/skiff.db")
    }

    private func reopened() throws -> MetadataStore {
        try store.close()
        return try MetadataStore(path: "\(scratch.path)/skiff.db")
    }

    @Test("images and names are there after a restart")
    func keepsImages() async throws {
        var row = ImageRow(
            id: Self.one, blobs: [Self.one, Self.two], layers: ["b", "a"], created: 5,
            document: Array("{\"a\":\"ü\"}".utf8))
        try await store.images.save(row, names: [ImageNameRow(name: "x:latest", image: Self.one, tagged: 1)])
        row.document = Array("[]".utf8)
        row.blobs = [Self.two]
        try await store.images.save(row)
        try await store.images.save(
            image(Self.two), names: [ImageNameRow(name: "y:latest", image: Self.two, tagged: 2)])
        try await store.images.setName(ImageNameRow(name: "x:latest", image: Self.two, tagged: 3))
        try await store.images.removeName("y:latest")
        let all = try await reopened().images.all()
        #expect(all.images.first { $0.id == Self.one } == row)
        #expect(all.images.count == 2)
        #expect(all.names == [ImageNameRow(name: "x:latest", image: Self.two, tagged: 3)])
    }

    @Test("an image takes its names with it, and no name can point to nothing")
    func removesImages() async throws {
        try await store.images.save(image(Self.one), names: [ImageNameRow(name: "x", image: Self.one, tagged: 1)])
        await #expect(throws: Failure(.notFound, "")) {
            try await store.images.setName(ImageNameRow(name: "y", image: Self.two, tagged: 1))
        }
        try await store.images.remove(Self.one)
        let all = try await store.images.all()
        #expect(all.images.isEmpty && all.names.isEmpty)
    }

    @Test("two containers cannot have one name, and one may change its own")
    func keepsNamesUnique() async throws {
        var first = ContainerRow(
            id: "1", name: "web", image: Self.one, snapshot: "s1", created: 1, document: Array("{}".utf8))
        let second = ContainerRow(
            id: "2", name: "web", image: nil, snapshot: "s2", created: 2, document: Array("{}".utf8))
        try await store.containers.save(first)
        await #expect(throws: Failure(.conflict, "")) { try await store.containers.save(second) }
        first.name = "old"
        try await store.containers.save(first)
        try await store.containers.save(second)
        #expect(Set(try await store.containers.all()) == [first, second])
        try await store.containers.remove("1")
        #expect(try await reopened().containers.all() == [second])
    }

    @Test("two endpoints of a network cannot have one address, all or none are kept, and they go with their network")
    func keepsAddressesUnique() async throws {
        for id in ["n1", "n2"] {
            try await store.networks.save(NetworkRow(id: id, name: id, driver: "bridge", created: 1, document: []))
        }
        func endpoint(_ id: String, _ network: String, _ address: String?) -> EndpointRow {
            EndpointRow(id: id, network: network, sandbox: "c", address: address, document: Array("{}".utf8))
        }
        try await store.networks.save(endpoints: [
            endpoint("e1", "n1", "10.0.0.2"), endpoint("e2", "n2", "10.0.0.2"), endpoint("e3", "n1", nil),
            endpoint("e4", "n1", nil),
        ])
        await #expect(throws: Failure(.conflict, "")) {
            try await store.networks.save(endpoints: [
                endpoint("e5", "n1", "10.0.0.3"), endpoint("e6", "n1", "10.0.0.2"),
            ])
        }
        await #expect(throws: Failure(.notFound, "")) {
            try await store.networks.save(endpoints: [endpoint("e7", "gone", nil)])
        }
        #expect(Set(try await store.networks.all().endpoints.map(\.id)) == ["e1", "e2", "e3", "e4"])
        try await store.networks.remove("n1")
        #expect(try await store.networks.all().endpoints.map(\.id) == ["e2"])
        try await store.networks.remove(endpointsOf: "c")
        #expect(try await store.networks.all().endpoints.isEmpty)
    }

    @Test("volumes, build steps and leases are there after a restart")
    func keepsTheRest() async throws {
        let volume = VolumeRow(name: "data", created: 3, document: Array("{\"l\":1}".utf8))
        try await store.volumes.save(volume)
        var step = BuildCacheRow(
            key: "k", layer: "chain", blobs: [Self.one], created: 1, lastUsed: 1, size: 9, document: Array("{}".utf8))
        try await store.buildCache.save(step)
        try await store.buildCache.touch("k", at: 77)
        step.lastUsed = 77
        step.useCount = 1
        var lease = LeaseRow(id: "l", created: 1, expires: 10, resources: [.blob(Self.one)])
        try await store.leases.save(lease)
        try await store.leases.add([.snapshot("chain"), .blob(Self.one)], to: "l")
        await #expect(throws: Failure(.notFound, "")) { try await store.leases.add([.snapshot("x")], to: "gone") }
        lease.expires = 20
        lease.resources = []
        try await store.leases.save(lease)
        let again = try reopened()
        #expect(try await again.volumes.all() == [volume])
        #expect(try await again.buildCache.find("k") == step)
        #expect(try await again.buildCache.find("other") == nil)
        let leases = try await again.leases.all()
        #expect(leases.map(\.expires) == [20])
        #expect(Set(leases[0].resources) == [.blob(Self.one), .snapshot("chain")])
        try await again.leases.release("l")
        try await again.buildCache.remove(["k"])
        try await again.volumes.remove("data")
        #expect(try await again.leases.all().isEmpty)
        #expect(try await again.buildCache.all().isEmpty)
        #expect(try await again.volumes.all().isEmpty)
    }

    @Test("an image and the end of its lease are one step")
    func releasesWithImage() async throws {
        try await store.leases.save(LeaseRow(id: "pull", created: 1, expires: 10, resources: [.blob(Self.one)]))
        try await store.images.save(image(Self.one), releasing: "pull")
        #expect(try await store.leases.all().isEmpty)
    }

    @Test("a change goes through although whoever asked was called off")
    func survivesCancellation() async throws {
        let store = store
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await store.volumes.save(VolumeRow(name: "v", created: 1, document: []))
        }
        try await task.value
        #expect(try await store.volumes.all().map(\.name) == ["v"])
    }
}
