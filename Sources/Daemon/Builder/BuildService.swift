internal import CLinux
internal import DockerfileSyntax
internal import Execution
public import Failures
internal import Images
internal import Linux
internal import Logging
public import NIOCore
internal import NIOPosix
internal import Networking
internal import OCI
internal import Storage

/// Builds images from Dockerfiles.
///
/// ```
/// context (tar) → names, hashes, one spool        while it arrives; nothing is unpacked
/// text → instructions → stages → plan (a graph)   pure
/// graph → solver → layers                         only what the cache does not know is run
/// layers + config → image                         one transaction
/// ```
public final class BuildService: Sendable {
    private let environment: BuildEnvironment
    let keeper: CacheKeeper
    private let shared = SharedSteps()
    /// How many steps of one build are on their way at the same time.
    private static let width = 4

    public init(_ environment: BuildEnvironment) {
        self.environment = environment
        keeper = CacheKeeper(environment)
    }

    /// Makes the builder's directories and ends what a daemon that was killed left: steps that still run, their networks
    /// and files.
    ///
    /// To be called once, after the networks have started.
    public func start() async throws(Failure) {
        let root = environment.root
        let steps = environment.steps
        let left: [String]
        do {
            left = try await environment.pool.runIfActive {
                for path in [root, steps, root + "/cache"] { try makeDirectories(path, mode: 0o700) }
                let directory = try open(steps, O_RDONLY | O_DIRECTORY)
                return try readDirectory(directory.raw).map(\.name.text)
            }
            try await BuildLease.releaseAll(environment.metadata.leases)
        } catch { throw Failure.wrapping(error, "prepare the builder's directory \(root)") }
        for id in left {
            if let task = await environment.launcher.recover(id) {
                try? await task.signal(SIGKILL, all: true)
                _ = await task.exit
                await task.collect()
            }
            await environment.networks.detach(id)
            _ = try? await environment.pool.runIfActive { try removeTree(steps + "/" + id) }
            environment.logger.info("build step of the last run ended", metadata: ["step": "\(id)"])
        }
        do { try await keeper.dropBroken() } catch { throw Failure.wrapping(error, "look through the build cache") }
        keeper.buildEnded()
    }

    /// Builds what `request` asks for out of `context`.
    ///
    /// - Parameters:
    ///   - context: a tar, plain or compressed; may be empty when the request carries the Dockerfile's text. It is read
    ///     to its end before the first step.
    ///   - output: called in order, never at the same time from two places; it must not block.
    /// - Throws: `Failure` (`invalid` for the Dockerfile, `notFound` for images and files), or `StepFailure` when a RUN
    ///   step's command fails. Nothing half-made stays.
    public func build<Context: AsyncSequence & Sendable>(
        _ request: BuildRequest, context: Context, output: @escaping @Sendable (BuildEvent) -> Void
    ) async throws -> BuildResult where Context.Element == ByteBuffer {
        do {
            let names = try Self.names(request)
            if request.squash { throw Failure(.notImplemented, "squash is not supported: every step is a layer") }
            let platform = try Self.platform(request)
            var received = try await ContextReader(directory: environment.root).receive(context)
            let text = try DockerfileSource(request).take(from: &received)
            let sink = request.quiet ? QuietOutput(output) : nil
            let tell = sink.map { sink in { @Sendable event in sink.take(event) } } ?? output
            do {
                return try await build(request, text, received, names, platform, tell, output)
            } catch {
                sink?.flush()
                throw error
            }
        } catch { throw Self.failure(error, environment.root) }
    }

    private func build(
        _ request: BuildRequest, _ text: [UInt8], _ context: BuildContext, _ names: [Reference], _ platform: Platform,
        _ tell: @escaping @Sendable (BuildEvent) -> Void, _ output: @Sendable (BuildEvent) -> Void
    ) async throws -> BuildResult {
        let file = try Dockerfile.parse(text)
        let arguments = BuildArguments(request.buildArguments, target: platform, stage: request.target ?? "default")
        let selection = try StageSelection(file, target: request.target, arguments: arguments)
        let bases = Set(selection.bases.values.compactMap { if case .image(let need) = $0 { need } else { nil } })
        let finder = BaseImages(
            images: environment.images, pool: environment.pool, puller: environment.puller, request: request,
            platform: platform, bases: bases, output: tell)
        let lease = try await BuildLease.take(environment.metadata.leases)
        let cache = keeper.cache()
        let undo = Undo()
        undo.add { [keeper] in
            cache.hold.release()
            await lease.release()
            keeper.buildEnded()
        }
        return try await undo.afterwards {
            for warning in file.warnings { tell(.warning(warning)) }
            if let syntax = file.directives.syntax, !Self.understands(syntax) {
                tell(
                    .warning("the frontend \(syntax) is not fetched: the Dockerfile is read by the builder's own rules")
                )
            }
            // A pull is told of under the first FROM, as far as there is one to tell of: the plan needs every image.
            let opening = selection.opening(file)
            for event in opening { tell(event) }
            let images = try await finder.all(selection.images(file))
            let plan = try Planner.plan(file, selection, arguments, images: images, labels: request.labels)
            let progress = BuildProgress(
                plan, told: opening.count, metadata: MetadataSteps(cache: cache, ignoresKnown: request.noCache),
                output: tell)
            let executor = StepExecutor(
                environment: self.environment, cache: cache, shared: self.shared, lease: lease, request: request,
                context: context,
                progress: progress, salt: request.noCache ? lease.id : nil)
            let outputs: [VertexID: TreeState]
            do {
                outputs = try await Solver(executor, limit: Self.width).solve(plan.graph, targets: [plan.result.vertex])
            } catch {
                progress.flush()
                throw error
            }
            let exporter = Exporter(images: self.environment.images, platform: platform)
            let image = try await exporter.export(plan, outputs, names: names) { progress.created($0) }
            progress.finish(image: image.id.description)
            for warning in plan.warnings { tell(.warning(warning)) }
            output(.built(id: image.id.description))
            for name in names { output(.tagged(name.familiar)) }
            return BuildResult(imageID: image.id.description, names: names.map(\.familiar))
        }
    }

    // MARK: What was asked for

    /// Whether a frontend is one whose language is known here.
    private static func understands(_ frontend: String) -> Bool {
        let name = frontend.split(separator: "@", omittingEmptySubsequences: false)[0]
        let repository = name.lastIndex(of: ":").map { name[..<$0] } ?? name
        return ["docker/dockerfile", "docker.io/docker/dockerfile"].contains(repository)
    }

    private static func names(_ request: BuildRequest) throws(Failure) -> [Reference] {
        var names: [Reference] = []
        for tag in request.tags where !tag.isEmpty {
            let name: Reference
            do { name = try Reference(parsing: tag) } catch {
                throw Failure(.invalid, "invalid tag \"\(tag)\": \(error.message)", cause: error)
            }
            guard name.digest == nil else {
                throw Failure(.invalid, "invalid tag \"\(tag)\": build tag cannot contain a digest")
            }
            if !names.contains(name.withDefaultTag) { names.append(name.withDefaultTag) }
        }
        return names
    }

    private static func platform(_ request: BuildRequest) throws(Failure) -> Platform {
        guard let text = request.platform, !text.isEmpty else { return .host }
        return try Platform(parsing: text)
    }

    private static func failure(_ error: any Error, _ root: String) -> any Error {
        switch error {
        case let error as DockerfileError: Failure(.invalid, error.description, cause: error)
        case let problem as SyntaxProblem: Failure(.invalid, problem.message, cause: problem)
        case is CancellationError: Failure(.cancelled, "the build was called off")
        case is StepFailure: error
        default: Failure.wrapping(error, "build").namingFullDisk(root)
        }
    }
}
