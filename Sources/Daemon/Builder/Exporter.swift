internal import Failures
internal import Images
internal import Linux
internal import OCI

/// Writes the image a build made: its config out of what the instructions said, its layers out of what they did.
struct Exporter: Sendable {
    let images: ImageStore
    let platform: Platform

    /// - Parameters:
    ///   - outputs: what the plan's vertices came out as.
    ///   - created: when a step was made, in nanoseconds since 1970.
    func export(
        _ plan: BuildPlan, _ outputs: [VertexID: TreeState], names: [Reference], created: (Int) -> Int64
    ) async throws -> Image {
        let result = plan.result
        guard let tree = outputs[result.vertex] else { throw Failure(.internal, "the target stage was not made") }
        // A build that changes nothing is the image it began with.
        if result.history.isEmpty, let base = result.baseImage, base.config.config?.labels == result.config.labels,
            let image = images.image(base.id)
        {
            for name in names { try await images.tag(image, as: name) }
            return images.image(base.id) ?? image
        }
        let config = Self.config(plan, outputs, tree, platform: platform, created: created)
        return try await images.add(config: config.encoded(), layers: tree.layers, names: names)
    }

    /// The config document.
    ///
    /// Pure: the same steps with the same times make the same bytes.
    static func config(
        _ plan: BuildPlan, _ outputs: [VertexID: TreeState], _ tree: TreeState, platform: Platform,
        created: (Int) -> Int64
    ) -> ImageConfig {
        let result = plan.result
        var config = result.base ?? ImageConfig(platform: platform)
        config.config = result.config
        config.author = result.author
        config.rootfs = ImageConfig.RootFS(diffIDs: tree.layers.map(\.diffID))
        for entry in result.history {
            let step = plan.steps[entry.step]
            let addsLayer = step.makesTree && outputs[step.vertex]?.addsLayer == true
            let time = WallTime(total: created(entry.step)).text
            config.history.append(
                ImageConfig.History(
                    created: time, createdBy: entry.createdBy, author: result.author, emptyLayer: !addsLayer))
            config.created = time
        }
        if config.created == nil { config.created = WallTime.now().text }
        return config
    }
}
