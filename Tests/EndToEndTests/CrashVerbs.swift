import Archive
import CLinux
import FakeRegistry
import Linux
import Testing

/// One try of a verb that is cut short.
struct CrashRound: Sendable {
    let number: Int
    let daemon: PrivateDaemon
    var name: String { "thing\(number)" }
}

/// A verb that the daemon is killed in, and how to tell that it can be done again.
struct CrashVerb: Sendable, CustomTestStringConvertible {
    var name: String
    /// What is there for all rounds: a registry.
    var around: @Sendable (PrivateDaemon, () async throws -> Void) async throws -> Void = { try await $1() }
    /// What must be there before the verb.
    var prepare: @Sendable (CrashRound) async throws -> Void = { _ in }
    var arguments: @Sendable (CrashRound) throws -> [String]
    /// Whether it has happened, asked when its client was told so.
    var proof: (@Sendable (CrashRound) async throws -> Bool)?
    /// Does the same again and proves that it works, then takes away what the round made.
    var finish: @Sendable (CrashRound) async throws -> Void

    var testDescription: String { name }

    static let all = [create, start, stop, remove, build, pull, load, createVolume]
}

// MARK: Containers

extension CrashVerb {
    private static func isThere(_ round: CrashRound) async throws -> Bool {
        try await round.daemon.skiff("inspect", round.name).code == 0
    }

    private static func takeAway(_ round: CrashRound) async throws {
        try await round.daemon.must("rm", "-f", "-v", round.name)
        try await round.daemon.must("volume", "rm", "-f", "kept" + round.name)
        #expect(try await round.daemon.must("volume", "ls", "-q").output.isEmpty, "volumes left behind")
    }

    /// A service with a published port, a named volume that is filled from the image, and an anonymous one.
    private static func service(_ verb: [String], _ name: String, _ command: String) -> [String] {
        verb + ["--name", name, "-p", "0:80", "-v", "kept\(name):/bin", "-v", "/own", "busybox", "sh", "-c", command]
    }

    static let create = CrashVerb(
        name: "create",
        arguments: { service(["create"], $0.name, "sleep 1000") }, proof: { try await isThere($0) },
        finish: { round in
            if try await !isThere(round) {
                let again = try await round.daemon.skiff(service(["create"], round.name, "sleep 1000"))
                #expect(again.code == 0, "\(again.errors)")
            }
            try await round.daemon.must("start", round.name)
            try await takeAway(round)
        })

    static let start = CrashVerb(
        name: "start",
        prepare: { round in
            let made = try await round.daemon.skiff(service(["create"], round.name, "sleep 1000"))
            try #require(made.code == 0, "\(made.errors)")
        },
        arguments: { ["start", $0.name] },
        proof: { round in
            try await round.daemon.must("inspect", "-f", "{{.State.Running}}", round.name).line == "true"
        },
        finish: { round in
            try await round.daemon.must("start", round.name)
            // What the image has there came into the volume as a whole.
            let there = try await round.daemon.must("exec", round.name, "ls", "/bin").lines
            let wanted = try await round.daemon.must("run", "--rm", "busybox", "ls", "/bin").lines
            #expect(there == wanted, "the volume was filled half-way")
            try await takeAway(round)
        })

    static let stop = CrashVerb(
        name: "stop",
        prepare: { round in
            let made = try await round.daemon.skiff(
                service(
                    ["run", "-d"], round.name, "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done"))
            try #require(made.code == 0, "\(made.errors)")
            try await eventually("the handler to be there") {
                try await round.daemon.must("logs", round.name).output.contains("ready")
            }
        },
        arguments: { ["stop", "-t", "60", $0.name] },
        proof: { round in
            try await round.daemon.must("inspect", "-f", "{{.State.Running}}", round.name).line == "false"
        },
        finish: { round in
            try await round.daemon.must("stop", "-t", "60", round.name)
            #expect(try await round.daemon.must("wait", round.name).line == "3", "the exit code was lost")
            try await takeAway(round)
        })

    static let remove = CrashVerb(
        name: "rm",
        prepare: { round in
            let made = try await round.daemon.skiff(service(["run", "-d"], round.name, "sleep 1000"))
            try #require(made.code == 0, "\(made.errors)")
        },
        arguments: { ["rm", "-f", "-v", $0.name] }, proof: { try await !isThere($0) },
        finish: { round in
            if try await isThere(round) { try await round.daemon.must("rm", "-f", "-v", round.name) }
            try await round.daemon.must("create", "--name", round.name, "busybox")
            try await takeAway(round)
        })

    static let createVolume = CrashVerb(
        name: "volume create",
        arguments: { ["volume", "create", $0.name] },
        proof: { try await $0.daemon.skiff("volume", "inspect", $0.name).code == 0 },
        finish: { round in
            try await round.daemon.must("volume", "create", round.name)
            try await round.daemon.must("run", "--rm", "-v", "\(round.name):/v", "busybox", "touch", "/v/x")
            try await round.daemon.must("volume", "rm", round.name)
        })
}

// MARK: Images

extension CrashVerb {
    /// Runs the round's image and takes it away.
    private static func useAndRemove(_ image: String, _ round: CrashRound, says text: String) async throws {
        #expect(try await round.daemon.must("run", "--rm", image, "cat", "/words").output == text)
        try await round.daemon.must("rmi", image)
    }

    static let build = CrashVerb(
        name: "build",
        prepare: { round in
            let folder = round.daemon.home + "/context"
            try makeDirectories(folder)
            try writeFile(
                folder + "/Dockerfile",
                Array(
                    """
                    FROM busybox
                    COPY words load /
                    RUN cat /load /load > /twice
                    RUN for i in 1 2 3 4 5; do cp /load /copy$i; done
                    RUN rm /copy1 && echo end >> /words
                    """.utf8))
            try writeFile(folder + "/words", Array("round \(round.number)\n".utf8))
            try writeFile(folder + "/load", [UInt8](repeating: UInt8(truncatingIfNeeded: round.number), count: 1 << 20))
        },
        arguments: { ["build", "-t", $0.name, $0.daemon.home + "/context"] },
        proof: { try await $0.daemon.skiff("inspect", $0.name).code == 0 },
        finish: { round in
            try await round.daemon.must("build", "-t", round.name, round.daemon.home + "/context")
            try await useAndRemove(round.name, round, says: "round \(round.number)\nend\n")
        })

    /// Busybox and two layers of bytes that cannot be packed, as another builder made it.
    private static func cargo(_ daemon: PrivateDaemon) async throws -> TestImage {
        let base = try await readFile(PrivateDaemon.busyboxArchive(in: daemon.home))
        return try TestImage(
            tars: [
                base, TestImage.tar(["words": "cargo\n", "a": noise(600_000)]),
                TestImage.tar(["b": noise(600_000, seed: 2)]),
            ],
            packed: [.gzip, .zstd, .none])
    }

    private static let registryFile = "/registry-address"

    static let pull = CrashVerb(
        name: "pull",
        around: { daemon, body in
            let served = ServedImage(try await cargo(daemon))
            try await LittleServer.with({ request in
                var answer = served.answer(request)
                // As slow as a network: a few moments to be killed in.
                if request.path.contains("/blobs/") { answer.piece = 100_000 }
                return answer
            }) { server in
                try writeFile(daemon.home + registryFile, Array("\(server.address)/cargo:latest".utf8))
                try await body()
            }
        },
        arguments: { ["pull", try readText($0.daemon.home + registryFile)] },
        proof: { try await $0.daemon.skiff("inspect", try readText($0.daemon.home + registryFile)).code == 0 },
        finish: { round in
            let name = try readText(round.daemon.home + registryFile)
            try await round.daemon.must("pull", name)
            try await useAndRemove(name, round, says: "cargo\n")
        })

    static let load = CrashVerb(
        name: "load",
        around: { daemon, body in
            try writeFile(
                daemon.home + "/cargo.tar", try await cargo(daemon).dockerArchive(names: ["cargo:latest"]))
            try await body()
        },
        arguments: { ["load", "-i", $0.daemon.home + "/cargo.tar"] },
        proof: { try await $0.daemon.skiff("inspect", "cargo").code == 0 },
        finish: { round in
            try await round.daemon.must("load", "-i", round.daemon.home + "/cargo.tar")
            try await useAndRemove("cargo", round, says: "cargo\n")
        })
}
