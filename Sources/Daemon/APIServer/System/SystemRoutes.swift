internal import Builder
internal import DockerAPI
internal import Engine
internal import Failures
internal import HTTPServer
internal import Images
internal import JSON
internal import NIOCore
internal import NIOHTTP1
internal import OCI

/// `/_ping`, `/version`, `/info` and `/system/df`: what a client asks before anything else.
struct SystemRoutes: Sendable {
    let facts: DaemonFacts
    let containers: ContainerService
    let volumes: VolumeService
    let images: ImageStore
    let builder: BuildService

    var routes: [Route] {
        [
            Route(.GET, "/_ping", ping),
            Route(.GET, "/version", version),
            Route(.GET, "/info", info),
            Route(.GET, "/system/df", diskUsage),
        ]
    }

    private func ping(_ exchange: Exchange) async throws -> Reply {
        var reply = Reply(
            .ok,
            headers: [
                "Builder-Version": "1", "Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache",
                "Swarm": "inactive", "Content-Type": "text/plain; charset=utf-8",
            ])
        if exchange.request.method == .HEAD {
            reply.headers.add(name: "Content-Length", value: "0")
        } else {
            reply.body = .bytes(ByteBuffer(string: "OK"))
        }
        return reply
    }

    private func version(_ exchange: Exchange) async throws -> Reply {
        var answer = SystemVersion()
        answer.platform.name = "Skiff"
        answer.version = facts.version
        answer.apiVersion = APIVersion.newest.description
        answer.minAPIVersion = APIVersion.oldest.description
        answer.gitCommit = facts.gitCommit
        answer.os = "linux"
        answer.arch = facts.architecture
        answer.kernelVersion = facts.kernelVersion
        answer.experimental = false
        answer.buildTime = facts.buildTime
        var engine = ComponentVersion()
        engine.name = "Engine"
        engine.version = facts.version
        engine.details = [
            "ApiVersion": answer.apiVersion, "Arch": answer.arch, "BuildTime": facts.buildTime,
            "Experimental": "false", "GitCommit": facts.gitCommit, "GoVersion": "",
            "KernelVersion": facts.kernelVersion, "MinAPIVersion": answer.minAPIVersion, "Os": "linux",
        ]
        var runtime = ComponentVersion()
        runtime.name = "skiff-runtime"
        runtime.version = facts.version
        runtime.details = ["GitCommit": facts.gitCommit]
        answer.components = [engine, runtime]
        return try .json(answer)
    }

    private func info(_ exchange: Exchange) async throws -> Reply {
        let all = try containers.list(ContainerListRequest(all: true))
        var answer = InfoShape.info(facts)
        answer.containers = all.count
        answer.containersRunning = all.count { $0.state.isRunning && !$0.state.isPaused }
        answer.containersPaused = all.count { $0.state.isPaused }
        answer.containersStopped = all.count { !$0.state.isRunning }
        answer.images = images.list().count
        answer.systemTime = Timestamp.now.rfc3339
        return try .json(answer)
    }

    // MARK: Disk usage

    private func diskUsage(_ exchange: Exchange) async throws -> Reply {
        let types = Set(exchange.query.all("type"))
        for type in types where !["container", "image", "volume", "build-cache"].contains(type) {
            throw Failure(.invalid, "unknown object type: \(type)")
        }
        func wanted(_ type: String) -> Bool { types.isEmpty || types.contains(type) }
        let everything = try containers.list(ContainerListRequest(all: true))
        var answer = DiskUsage()
        if wanted("image") {
            let users = Dictionary(grouping: everything, by: \.image)
            answer.images = images.list().map { image in
                var line = ImageShape.summary(image, version: exchange.version)
                line.containers = Int64(users[image.id]?.count ?? 0)
                line.sharedSize = 0
                return line
            }
            // A layer that two images share is there once.
            var layers: [String: Int64] = [:]
            for layer in images.list().flatMap(\.manifest.layers) { layers[layer.digest.description] = layer.size }
            answer.layersSize = layers.values.reduce(0, +)
        }
        if wanted("container") {
            let shape = ContainerShape(images: images)
            let now = Timestamp.now
            let sizes = try await containers.sizes(of: everything)
            answer.containers = everything.map { container in
                var line = shape.summary(container, version: exchange.version, now: now)
                line.sizeRw = sizes[container.id]?.written
                line.sizeRootFs = sizes[container.id]?.whole
                return line
            }
        }
        if wanted("volume") {
            for volume in try volumes.list() {
                var line = VolumeRoutes.shape(volume)
                let usage = try await volumes.usage(volume.name)
                var shown = VolumeUsage()
                shown.size = usage.bytes
                shown.refCount = Int64(usage.references)
                line.usageData = shown
                answer.volumes.append(line)
            }
        }
        if wanted("build-cache") {
            answer.buildCache = try await builder.cacheRecords().map { record in
                var line = BuildCacheRecord()
                line.id = record.id
                line.type = record.kind.rawValue
                line.description = record.description
                line.inUse = record.isInUse
                line.shared = record.isShared
                line.size = record.size
                line.createdAt = Timestamp(nanoseconds: record.created).rfc3339
                line.lastUsedAt = Timestamp(nanoseconds: record.lastUsed).rfc3339
                line.usageCount = record.useCount
                return line
            }
        }
        return try .json(answer)
    }
}
