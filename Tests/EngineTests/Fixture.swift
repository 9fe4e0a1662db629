import Failures
import JSON
import OCI

@testable import Engine

/// Containers out of thin air.
enum Fixture {
    static func host(_ json: JSON = [:]) throws -> HostSettings { try HostSettings(json: json) }

    static func config(_ json: JSON = ["Image": "alpine", "Cmd": ["true"]]) throws -> ContainerConfig {
        try ContainerConfig(json: json)
    }

    static func record(
        id: String = String(repeating: "c", count: 64), name: String = "web",
        config: JSON = ["Image": "alpine", "Cmd": ["true"]],
        host: JSON = [:]
    ) throws -> ContainerRecord {
        let host = try HostSettings(json: host)
        var lifecycle = Lifecycle()
        lifecycle.restartPolicy = host.restartPolicy
        lifecycle.autoRemove = host.autoRemove
        return ContainerRecord(
            id: id, name: name, image: Digest(sha256: String(repeating: "d", count: 64)),
            created: Timestamp(nanoseconds: 1),
            platform: Platform(architecture: "amd64"), config: try ContainerConfig(json: config), host: host,
            mounts: [], networks: [],
            lifecycle: lifecycle)
    }

    static func container(id: String, name: String) throws -> Container {
        Container(record: try record(id: id, name: name))
    }
}
