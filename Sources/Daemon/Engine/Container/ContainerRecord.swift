internal import Failures
internal import JSON
internal import Linux
internal import Networking
internal import OCI
internal import Storage

/// What of a container outlives the daemon: its row and the document in it.
///
/// The document has Docker's shapes where Docker has one (`Config`, `HostConfig`, `Mounts`), so that a person with a
/// SQLite shell can read it:
/// ```
/// {"Config", "HostConfig", "Endpoints": {network: settings}, "Mounts": […], "Platform", "State": {…},
///  "RestartCount", "StoppedByHand", "Sandbox": {id, pid, request, endpoints, ports} while it runs}
/// ```
struct ContainerRecord: Sendable {
    var id: String
    var name: String
    var image: Digest
    var created: Timestamp
    var platform: Platform
    var config: ContainerConfig
    var host: HostSettings
    var mounts: [MountPoint]
    var networks: [NetworkAttachment]
    var lifecycle: Lifecycle
    var sandbox: RecoveredSandbox?

    /// The key of the writable snapshot.
    var snapshot: String { Self.snapshotKey(id) }
    static func snapshotKey(_ id: String) -> String { "container-" + id }
}

extension ContainerRecord {
    init(row: ContainerRow) throws(Failure) {
        let json: JSON
        do { json = try JSON.parse(row.document) } catch {
            throw Failure(.internal, "container \(row.id): its row cannot be read: \(error)", cause: error)
        }
        let fields = Fields(json)
        guard let image = row.image else { throw Failure(.internal, "container \(row.id): its row names no image") }
        id = row.id
        name = row.name
        self.image = image
        created = Timestamp(nanoseconds: row.created)
        platform = try Platform(parsing: fields.text("Platform"))
        config = try ContainerConfig(json: fields.present("Config") ?? .object(JSONObject()))
        host = try HostSettings(json: fields.present("HostConfig") ?? .object(JSONObject()))
        mounts = []
        for mount in try fields.array("Mounts") { mounts.append(try MountPoint(json: mount)) }
        networks = []
        for entry in try fields.array("Networks") {
            let entry = Fields(entry)
            let settings = try EndpointSettings(
                network: entry.text("Network"), json: entry.present("Settings") ?? .object(JSONObject()))
            var attachment = NetworkAttachment(
                settings: settings, networkName: try entry.text("Name"), networkID: try entry.text("NetworkID"))
            attachment.dnsNames = try entry.strings("DNSNames")
            networks.append(attachment)
        }
        lifecycle = Lifecycle()
        lifecycle.restartPolicy = host.restartPolicy
        lifecycle.autoRemove = host.autoRemove
        lifecycle.restartCount = Int(clamping: try fields.integer("RestartCount") ?? 0)
        lifecycle.stoppedByHand = try fields.flag("StoppedByHand")
        lifecycle.state = try ContainerState(json: fields.present("State") ?? .object(JSONObject()))
        if let sandbox = fields.present("Sandbox") {
            do { self.sandbox = try JSONCoder.value(RecoveredSandbox.self, from: sandbox) } catch {
                throw Failure(.internal, "container \(row.id): its network cannot be read: \(error)", cause: error)
            }
        }
        if let sandbox { apply(endpoints: sandbox.endpoints) }
    }

    func row() throws(Failure) -> ContainerRow {
        var document = JSONObject()
        document["Platform"] = .string(platform.description)
        document["State"] = lifecycle.state.json
        document["RestartCount"] = JSON(lifecycle.restartCount)
        document["StoppedByHand"] = .bool(lifecycle.stoppedByHand)
        document["Config"] = config.json
        document["HostConfig"] = .object(host.json)
        document["Mounts"] = .array(mounts.map(\.json))
        document["Networks"] = .array(
            networks.map { attachment in
                var entry = JSONObject()
                entry["Network"] = .string(attachment.settings.network)
                entry["Name"] = .string(attachment.networkName)
                entry["NetworkID"] = .string(attachment.networkID)
                entry["DNSNames"] = .strings(attachment.dnsNames)
                entry["Settings"] = attachment.settings.json
                return .object(entry)
            })
        if let sandbox {
            do { document["Sandbox"] = try JSONCoder.tree(sandbox) } catch {
                throw Failure(.internal, "container \(id): its network cannot be written: \(error)", cause: error)
            }
        }
        return ContainerRow(
            id: id, name: name, image: image, snapshot: snapshot, created: created.nanoseconds,
            document: JSON.object(document).serialized())
    }

    /// Puts what the network gave beside what was asked.
    mutating func apply(endpoints: [Endpoint]) {
        for endpoint in endpoints {
            let index =
                networks.firstIndex { $0.networkID == endpoint.networkID }
                ?? networks.firstIndex {
                    $0.settings.network == endpoint.networkName || $0.networkName == endpoint.networkName
                }
            guard let index else { continue }
            networks[index].networkID = endpoint.networkID
            networks[index].networkName = endpoint.networkName
            networks[index].endpointID = endpoint.endpointID
            networks[index].address = endpoint.ipv4?.description ?? ""
            networks[index].prefixLength = endpoint.ipv4 == nil ? 0 : endpoint.prefix
            networks[index].gateway = endpoint.gateway?.description ?? ""
            networks[index].macAddress = endpoint.mac?.description ?? ""
            networks[index].dnsNames = endpoint.dnsNames
        }
    }

    /// Takes back what the network gave; what was asked stays for the next start.
    mutating func clearEndpoints() {
        sandbox = nil
        for index in networks.indices {
            networks[index].endpointID = ""
            networks[index].address = ""
            networks[index].prefixLength = 0
            networks[index].gateway = ""
            networks[index].macAddress = ""
        }
    }
}

extension ContainerState {
    init(json: JSON) throws(Failure) {
        self.init()
        let fields = Fields(json)
        status = ContainerStatus(rawValue: try fields.text("Status")) ?? .created
        pid = Int32(clamping: try fields.integer("Pid") ?? 0)
        exitCode = Int(clamping: try fields.integer("ExitCode") ?? 0)
        error = try fields.text("Error")
        oomKilled = try fields.flag("OOMKilled")
        startedAt = Timestamp(rfc3339: try fields.text("StartedAt")) ?? .never
        finishedAt = Timestamp(rfc3339: try fields.text("FinishedAt")) ?? .never
        if let status = fields.present("Health")?.stringValue {
            health = HealthState()
            health?.status = HealthState.Status(rawValue: status) ?? .starting
        }
    }

    var json: JSON {
        var object = JSONObject()
        object["Status"] = .string(status.rawValue)
        object["Pid"] = JSON(pid)
        object["ExitCode"] = JSON(exitCode)
        if !error.isEmpty { object["Error"] = .string(error) }
        if oomKilled { object["OOMKilled"] = true }
        object["StartedAt"] = .string(startedAt.rfc3339)
        object["FinishedAt"] = .string(finishedAt.rfc3339)
        if let health { object["Health"] = .string(health.status.rawValue) }
        return .object(object)
    }
}

extension MountPoint {
    init(json: JSON) throws(Failure) {
        let fields = Fields(json)
        self.init(kind: Kind(rawValue: try fields.text("Type")) ?? .bind, destination: try fields.text("Destination"))
        name = try fields.text("Name")
        source = try fields.text("Source")
        driver = try fields.text("Driver")
        mode = try fields.text("Mode")
        writable = try fields.flag("RW")
        propagation = try fields.text("Propagation")
        createsSource = try fields.flag("CreateSource")
        copiesUp = try fields.flag("CopyUp")
        isAnonymous = try fields.flag("Anonymous")
        tmpfsSize = try fields.integer("TmpfsSize") ?? 0
        tmpfsMode = try fields.integer("TmpfsMode").map { Int(clamping: $0) }
        recursive = try fields.optionalFlag("Recursive") ?? true
    }

    var json: JSON {
        var object = JSONObject()
        object["Type"] = .string(kind.rawValue)
        if !name.isEmpty { object["Name"] = .string(name) }
        if !source.isEmpty { object["Source"] = .string(source) }
        object["Destination"] = .string(destination)
        if !driver.isEmpty { object["Driver"] = .string(driver) }
        if !mode.isEmpty { object["Mode"] = .string(mode) }
        object["RW"] = .bool(writable)
        if !propagation.isEmpty { object["Propagation"] = .string(propagation) }
        if createsSource { object["CreateSource"] = true }
        if copiesUp { object["CopyUp"] = true }
        if isAnonymous { object["Anonymous"] = true }
        if tmpfsSize != 0 { object["TmpfsSize"] = .integer(tmpfsSize) }
        if let tmpfsMode { object["TmpfsMode"] = JSON(tmpfsMode) }
        if !recursive { object["Recursive"] = false }
        return .object(object)
    }
}
