internal import Failures
internal import JSON
internal import Storage

/// A named directory that outlives containers.
public struct Volume: Sendable, Hashable {
    public let name: String
    public let driver: String
    public let mountpoint: String
    public let created: Timestamp
    public let labels: [String: String]
    public let options: [String: String]
    /// Made without a name, for one container.
    public let isAnonymous: Bool
}

/// What a new volume shall be.
public struct VolumeRequest: Sendable {
    /// nil or empty: an anonymous one with 64 hexadecimal digits.
    public var name: String?
    public var driver = "local"
    public var options: [String: String] = [:]
    public var labels: [String: String] = [:]
    public init(name: String? = nil) { self.name = name }
}

extension Volume {
    init(row: VolumeRow, mountpoint: String) throws(Failure) {
        let json: JSON
        do { json = try JSON.parse(row.document) } catch {
            throw Failure(.internal, "volume \(row.name): its row cannot be read: \(error)", cause: error)
        }
        let fields = Fields(json)
        self.init(
            name: row.name, driver: try fields.text("Driver"), mountpoint: mountpoint,
            created: Timestamp(nanoseconds: row.created),
            labels: try fields.dictionary("Labels"), options: try fields.dictionary("Options"),
            isAnonymous: try fields.flag("Anonymous"))
    }

    var row: VolumeRow {
        var document = JSONObject()
        document["Driver"] = .string(driver)
        document["Labels"] = .dictionary(labels)
        document["Options"] = .dictionary(options)
        if isAnonymous { document["Anonymous"] = true }
        return VolumeRow(name: name, created: created.nanoseconds, document: JSON.object(document).serialized())
    }
}
