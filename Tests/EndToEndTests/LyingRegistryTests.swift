import Archive
import FakeRegistry
import Linux
import NIOHTTP1
import OCI
import Synchronization
import Testing

/// Registries that lie, break or dawdle, reached through the daemon: what comes is what was promised, or nothing.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"))
struct LyingRegistryTests {
    typealias Change = @Sendable (LittleServer.Request, inout LittleServer.Answer) -> Void

    /// A way to lie, and the words of the line that says so.
    struct Lie: Sendable {
        var name: String
        var words: [String]
        /// What may wait for the next try, since all of it was as promised.
        var isResumable = false
        var change: @Sendable (_ layer: String, _ config: String) -> Change
    }

    private static func blob(_ request: LittleServer.Request, _ digest: String) -> Bool {
        request.path.hasSuffix("/blobs/\(digest)")
    }

    /// Those who leave something for the next try come last.
    static let lies: [Lie] = [
        Lie(name: "wrong bytes in a layer", words: ["does not match its digest", "sha256:"]) { layer, _ in
            { if blob($0, layer) { $1.body[20_000] ^= 1 } }
        },
        Lie(name: "a layer longer than promised", words: ["longer than", "sha256:"]) { layer, _ in
            { if blob($0, layer) { $1.body.append(0) } }
        },
        Lie(name: "a layer without end", words: ["longer than", "sha256:"]) { layer, _ in
            { if blob($0, layer) { ($1.body, $1.isEndless) = ([UInt8](repeating: 7, count: 65536), true) } }
        },
        Lie(name: "a content length that is none", words: ["127.0.0.1"]) { layer, _ in
            { if blob($0, layer) { $1.headers.add(name: "Content-Length", value: "many") } }
        },
        Lie(name: "another configuration", words: ["sent a blob that is not", "sha256:"]) { _, config in
            { if blob($0, config) { $1.body[10] ^= 1 } }
        },
        Lie(name: "a configuration without end", words: ["sent a blob that is not", "sha256:"]) { _, config in
            { if blob($0, config) { $1.isEndless = true } }
        },
        Lie(name: "a manifest of five megabytes", words: ["of more than", "manifest"]) { _, _ in
            { if $0.path.contains("/manifests/") { $1.body += [UInt8](repeating: 32, count: 5 << 20) } }
        },
        Lie(name: "a manifest without end", words: ["of more than", "manifest"]) { _, _ in
            { if $0.path.contains("/manifests/") { $1.isEndless = true } }
        },
        Lie(name: "redirects in a circle", words: ["redirects", "127.0.0.1"]) { layer, _ in
            { request, answer in
                guard blob(request, layer) else { return }
                answer = LittleServer.Answer(status: .temporaryRedirect, headers: ["Location": request.path])
            }
        },
        Lie(name: "an error of its own each time", words: ["127.0.0.1", "503"]) { layer, _ in
            { if blob($0, layer) { $1 = LittleServer.Answer(status: .serviceUnavailable) } }
        },
        Lie(
            name: "a layer that breaks off", words: ["127.0.0.1", "broke off", "closed the connection"],
            isResumable: true
        ) { layer, _ in
            { if blob($0, layer) { $1.breaksAfter = 1000 } }
        },
        Lie(name: "a layer shorter than promised", words: ["ended after", "sha256:"], isResumable: true) { layer, _ in
            { if blob($0, layer) { $1.body = Array($1.body.prefix(1000)) } }
        },
    ]

    private func image(_ daemon: PrivateDaemon) async throws -> TestImage {
        let base = try await readFile(PrivateDaemon.busyboxArchive(in: daemon.home))
        return try TestImage(tars: [base, TestImage.tar(["cargo": noise(200_000)])], packed: [.gzip, .zstd])
    }

    @Test func everyLieIsNamedAndLeavesNothing() async throws {
        // Once is enough to see a lie; the pauses between attempts are for others.
        try await PrivateDaemon.with(["--max-download-attempts", "1"], image: false) { daemon in
            let image = try await image(daemon)
            let served = ServedImage(image, tag: "1")
            let layer = image.layers[0].descriptor.digest.description
            for lie in Self.lies {
                let change = lie.change(layer, image.configDigest.description)
                try await LittleServer.with({ request in
                    var answer = served.answer(request)
                    change(request, &answer)
                    return answer
                }) { server in
                    let finished = try await daemon.skiff("pull", "\(server.address)/cargo:1")
                    #expect(finished.code == 1, "\(lie.name): code \(finished.code)")
                    let said = finished.errors.split(separator: "\n")
                    #expect(said.count == 1, "\(lie.name): \(finished.errors)")
                    for word in lie.words {
                        #expect(finished.errors.contains(word), "\(lie.name): \(finished.errors)")
                    }
                }
                #expect(try await daemon.must("images", "-aq").output.isEmpty, "\(lie.name)")
                try await Inventory(daemon: daemon).check(isResumable: lie.isResumable, lie.name)
            }
            // After all of that an honest one is believed.
            try await LittleServer.with({ served.answer($0) }) { server in
                let name = "\(server.address)/cargo:1"
                try await daemon.must("pull", name)
                #expect(try await daemon.must("run", "--rm", name, "wc", "-c", "/cargo").line == "200000 /cargo")
            }
            try await Inventory(daemon: daemon).check("an honest registry")
        }
    }

    @Test func aRegistryThatRecoversIsAskedAgain() async throws {
        try await PrivateDaemon.with(image: false) { daemon in
            let image = try await image(daemon)
            let served = ServedImage(image, tag: "1")
            let layer = image.layers[0].descriptor.digest.description
            let asked = Atomic(0)
            try await LittleServer.with({ request in
                var answer = served.answer(request)
                guard Self.blob(request, layer) else { return answer }
                switch asked.wrappingAdd(1, ordering: .relaxed).newValue {
                case 1: answer = LittleServer.Answer(status: .badGateway)
                case 2: answer.breaksAfter = 100_000
                default: break
                }
                return answer
            }) { server in
                let name = "\(server.address)/cargo:1"
                let pulled = try await daemon.must("pull", name)
                #expect(pulled.output.contains("Retrying in"))
                #expect(try await daemon.must("run", "--rm", name, "wc", "-c", "/cargo").line == "200000 /cargo")
                let parts = server.requests.filter { Self.blob($0, layer) }
                #expect(parts.count == 3)
                let range = parts.last?.headers.first(name: "Range") ?? ""
                #expect(range.hasPrefix("bytes=") && range != "bytes=0-", "it goes on where it broke")
            }
        }
    }

    @Test func aSlowRegistryIsWaitedForAndCanBeLeft() async throws {
        try await PrivateDaemon.with(image: false) { daemon in
            let served = ServedImage(try await image(daemon), tag: "1")
            let isStuck = Atomic(false)
            try await LittleServer.with({ request in
                var answer = served.answer(request)
                if request.path.contains("/blobs/") { answer.piece = isStuck.load(ordering: .relaxed) ? 1 : 20_000 }
                return answer
            }) { server in
                let name = "\(server.address)/cargo:1"
                try await daemon.must("pull", name)
                try await daemon.must("rmi", name)
                isStuck.store(true, ordering: .relaxed)
                // A client that goes away takes its pull with it.
                let left = try await Program.run(
                    Program.builds + "/skiff", ["pull", name], environment: ["SKIFF_HOST=\(daemon.host)"], seconds: 1)
                #expect(left.code != 0)
                isStuck.store(false, ordering: .relaxed)
                try await daemon.must("pull", name)
                #expect(try await daemon.must("run", "--rm", name, "wc", "-c", "/cargo").line == "200000 /cargo")
                try await Inventory(daemon: daemon).check("a slow registry")
            }
        }
    }

    @Test func aRegistryThatIsDownIsNamedAtOnce() async throws {
        try await PrivateDaemon.with(image: false) { daemon in
            var address = ""
            try await LittleServer.with({ _ in LittleServer.Answer() }) { address = $0.address }
            let finished = try await daemon.skiff("pull", "\(address)/cargo:1")
            #expect(finished.code == 1)
            #expect(finished.errors.contains(address) && finished.errors.contains("cannot be reached"))
        }
    }
}
