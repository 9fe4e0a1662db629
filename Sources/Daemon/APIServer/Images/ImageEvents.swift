internal import Engine
internal import Images
internal import OCI

/// What happens to images, told in `/events`.
struct ImageEvents: Sendable {
    let bus: EventBus

    func tell(_ action: String, _ image: Image, name: String) {
        var attributes = image.config.config?.labels ?? [:]
        attributes["name"] = name
        bus.publish(
            Event(.image, action, actor: action == "pull" ? name : image.id.description, attributes: attributes))
    }

    func pruned(reclaimed: Int64) {
        bus.publish(Event(.image, "prune", actor: "", attributes: ["reclaimed": String(reclaimed)]))
    }
}
