public import Failures
public import JSON

/// Everything a caller says about a new container.
public struct CreateRequest: Sendable {
    /// nil or empty for a generated one; a leading slash is dropped.
    public var name: String?
    /// `os/arch[/variant]`; nil takes the image as it is.
    public var platform: String?
    public var config: ContainerConfig
    public var host: HostSettings
    /// `NetworkingConfig.EndpointsConfig`, in the order given.
    public var endpoints: [EndpointSettings]

    public init(
        name: String? = nil, platform: String? = nil, config: ContainerConfig, host: HostSettings,
        endpoints: [EndpointSettings] = []
    ) {
        (self.name, self.platform, self.config, self.host, self.endpoints) = (name, platform, config, host, endpoints)
    }

    /// Reads the body of Docker's `POST /containers/create`.
    ///
    /// `Config` at the top level, `HostConfig` and `NetworkingConfig` inside, keys in any case. Shaping by API
    /// version is the caller's, before.
    ///
    /// - Throws: `invalid` for a field of the wrong type or out of range.
    public init(name: String?, platform: String?, body: JSON) throws(Failure) {
        let fields = Fields(body)
        var endpoints: [EndpointSettings] = []
        if let networking = fields.present("NetworkingConfig") {
            for (network, settings) in try Fields(networking).object("EndpointsConfig") ?? JSONObject() {
                endpoints.append(try EndpointSettings(network: network, json: settings))
            }
        }
        self.init(
            name: name, platform: platform, config: try ContainerConfig(json: body),
            host: try HostSettings(json: fields.present("HostConfig") ?? .object(JSONObject())), endpoints: endpoints)
    }
}

/// What create answers.
public struct CreateResult: Sendable {
    public let id: String
    public let warnings: [String]
}
