internal import Failures
internal import JSON
internal import OCI
internal import Testing

@Suite("Image documents")
struct DocumentTests {
    private let digest = "sha256:\(ReferenceTests.hex)"

    private func manifest(_ change: (inout JSON) -> Void = { _ in }) -> [UInt8] {
        let descriptor: JSON = [
            "mediaType": "application/vnd.oci.image.config.v1+json", "digest": .string(digest), "size": 3,
        ]
        var tree: JSON = ["schemaVersion": 2, "config": descriptor, "layers": [descriptor]]
        change(&tree)
        return tree.serialized()
    }

    @Test("a manifest is read and written")
    func manifestRoundTrip() throws {
        guard case .manifest(let manifest) = try ManifestDocument(parsing: manifest()) else {
            Issue.record("not a manifest")
            return
        }
        #expect(manifest.layers.count == 1)
        #expect(try ManifestDocument(parsing: manifest.encoded()) == .manifest(manifest))
    }

    @Test("what is both a manifest and an index is refused, and what claims to be the other")
    func ambiguity() {
        let both = manifest { $0["manifests"] = [] }
        #expect(throws: Failure(.invalid, "")) { try ManifestDocument(parsing: both) }
        let lying = manifest { $0["mediaType"] = "application/vnd.oci.image.index.v1+json" }
        #expect(throws: Failure(.invalid, "")) { try ManifestDocument(parsing: lying) }
        #expect(throws: Failure(.invalid, "")) {
            try ManifestDocument(parsing: manifest(), contentType: .ociIndex)
        }
        let mismatch = manifest { $0["mediaType"] = "application/vnd.oci.image.manifest.v1+json" }
        #expect(throws: Failure(.invalid, "")) {
            try ManifestDocument(parsing: mismatch, contentType: .dockerManifest)
        }
    }

    @Test("hostile manifests are refused with words")
    func hostile() {
        let changes: [(inout JSON) -> Void] = [
            { $0["schemaVersion"] = 1 }, { $0["config"]?["size"] = -1 }, { $0["config"]?["digest"] = "sha256:../../x" },
            { $0["layers"] = "x" }, { $0["layers"] = [.null] }, { $0["config"] = nil }, { $0["config"]?["size"] = 1.5 },
            { $0["fsLayers"] = [] },
            {
                $0["layers"] = nil; $0["config"] = nil
            },
        ]
        for change in changes {
            #expect(throws: Failure(.invalid, "")) { try ManifestDocument(parsing: manifest(change)) }
        }
        let large = [UInt8](repeating: 0x20, count: ManifestDocument.maximumBytes + 1)
        #expect(throws: Failure(.invalid, "")) { try ManifestDocument(parsing: large) }
    }

    @Test("a config keeps what it does not know, through changes")
    func unknownMembers() throws {
        let text = """
            {"architecture":"arm64","os":"linux","os.version":"1","config":{"User":"1000","Env":["A=b"],"Vendor":{"x":1},
            "Entrypoint":[],"Cmd":null,"ExposedPorts":{"80/tcp":{}},"Labels":null},
            "rootfs":{"type":"layers","diff_ids":["\(digest)"]},"history":[{"created_by":"x"},{"empty_layer":true}]}
            """
        var config = try ImageConfig(parsing: Array(text.utf8))
        #expect(config.config?.entrypoint == [])
        #expect(config.config?.cmd == nil)
        #expect(config.config?.exposedPorts == ["80/tcp"])
        config.config?.user = "root"
        let again = try ImageConfig(parsing: config.encoded())
        #expect(again == config)
        #expect(again.json["os.version"] == "1")
        #expect(again.json["config"]?["Vendor"]?["x"] == 1)
        #expect(again.json["config"]?["User"] == "root")
    }

    @Test(
        "hostile configs are refused with the way to the member",
        arguments: [
            ("[]", "invalid image config: expected an object, found an array"),
            ("{}", "invalid image config: rootfs is missing"),
            (#"{"rootfs":{"diff_ids":["x"]}}"#, "invalid digest \"x\": want algorithm:hex"),
            (
                #"{"rootfs":{},"config":{"Env":[1]}}"#,
                "invalid image config: config.Env: expected an array of strings, found an array"
            ),
            (
                #"{"rootfs":{},"config":{"Healthcheck":{"Interval":"x"}}}"#,
                "invalid image config: config.Healthcheck.Interval: expected a whole number, found a string"
            ),
            (#"{"rootfs":{},"history":[{}]}"#, "invalid image config: history has more layers than rootfs.diff_ids"),
        ])
    func hostileConfigs(text: String, message: String) {
        let error = #expect(throws: Failure.self) { try ImageConfig(parsing: Array(text.utf8)) }
        #expect(error?.message == message)
    }

    @Test("the best manifest for a platform is chosen")
    func selection() throws {
        func entry(_ platform: String?, size: Int64) throws -> Descriptor {
            Descriptor(
                mediaType: .ociManifest, digest: try Digest(parsing: digest), size: size,
                platform: try platform.map { try Platform(parsing: $0) })
        }
        var attestation = try entry("unknown/unknown", size: 9)
        attestation.annotations = ["vnd.docker.reference.type": "attestation-manifest"]
        let index = Index(manifests: [
            try entry("linux/arm/v6", size: 1), try entry("linux/arm/v7", size: 2), try entry("linux/amd64", size: 3),
            try entry("linux/arm64/v8", size: 4), attestation,
        ])
        #expect(index.manifest(for: try Platform(parsing: "linux/amd64"))?.size == 3)
        #expect(index.manifest(for: try Platform(parsing: "linux/amd64/v3"))?.size == 3)
        #expect(index.manifest(for: try Platform(parsing: "linux/arm64"))?.size == 4)
        #expect(index.manifest(for: try Platform(parsing: "linux/arm/v7"))?.size == 2)
        #expect(index.manifest(for: try Platform(parsing: "linux/arm/v6"))?.size == 1)
        #expect(index.manifest(for: try Platform(parsing: "linux/s390x")) == nil)
        #expect(Index(manifests: [try entry(nil, size: 5)]).manifest(for: .host)?.size == 5)
    }

    @Test(
        "platforms are normalised",
        arguments: [
            ("linux/x86_64", "linux/amd64"), ("linux/aarch64", "linux/arm64"), ("linux/arm64/v8", "linux/arm64"),
            ("linux/armhf", "linux/arm/v7"), ("linux/arm", "linux/arm/v7"), ("linux/arm/6", "linux/arm/v6"),
            ("Linux/AMD64", "linux/amd64"), ("amd64", "linux/amd64"), ("linux/i686", "linux/386"),
        ])
    func platforms(text: String, expected: String) throws {
        #expect(try Platform(parsing: text).description == expected)
    }

    @Test("a platform that is none is refused", arguments: ["", "/", "linux/", "a/b/c/d", "nonsense", "linux/a m"])
    func badPlatforms(text: String) {
        #expect(throws: Failure(.invalid, "")) { try Platform(parsing: text) }
    }
}
