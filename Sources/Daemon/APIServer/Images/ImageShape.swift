internal import DockerAPI
internal import Engine
internal import Images
internal import JSON
internal import Linux
internal import OCI

/// Images as Docker's clients read them.
enum ImageShape {
    static func summary(_ image: Image, version: APIVersion) -> ImageSummary {
        var line = ImageSummary()
        line.id = image.id.description
        line.repoTags = image.names.map(\.familiar)
        line.repoDigests = image.shownDigests.map(\.familiar)
        if version < APIVersion(1, 43), line.repoTags.isEmpty { line.repoTags = ["<none>:<none>"] }
        if version < APIVersion(1, 43), line.repoDigests.isEmpty { line.repoDigests = ["<none>@<none>"] }
        line.created = image.created
        line.size = image.size
        if version < APIVersion(1, 44) { line.virtualSize = image.size }
        let labels = image.config.config?.labels ?? [:]
        line.labels = labels.isEmpty ? nil : labels
        if version >= APIVersion(1, 48) { line.descriptor = try? JSONCoder.tree(image.descriptor) }
        return line
    }

    static func inspect(_ image: Image, version: APIVersion) -> ImageInspect {
        var answer = ImageInspect()
        answer.id = image.id.description
        if version >= APIVersion(1, 48) { answer.descriptor = try? JSONCoder.tree(image.descriptor) }
        answer.repoTags = image.names.map(\.familiar)
        answer.repoDigests = image.shownDigests.map(\.familiar)
        answer.comment = image.config.history.last?.comment ?? ""
        answer.created = image.config.created ?? (version < APIVersion(1, 44) ? "0001-01-01T00:00:00Z" : nil)
        answer.author = image.config.author ?? ""
        answer.config = image.config.config?.json ?? .object(JSONObject())
        answer.architecture = image.platform.architecture
        answer.variant = image.platform.variant
        answer.os = image.platform.os
        answer.size = image.size
        if version < APIVersion(1, 44) { answer.virtualSize = image.size }
        var driver = GraphDriver()
        driver.name = "overlayfs"
        answer.graphDriver = driver
        answer.rootFS.layers = image.config.rootfs.diffIDs.map(\.description)
        answer.metadata.lastTagTime =
            image.lastTagged == 0 ? Timestamp.never.rfc3339 : Timestamp(nanoseconds: image.lastTagged).rfc3339
        return answer
    }
}
