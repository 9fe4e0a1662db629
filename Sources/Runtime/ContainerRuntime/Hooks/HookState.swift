internal import JSON
internal import OCI

/// A container as its hooks are told of it, on their standard input (runtime.md, "State").
public struct HookState: Sendable {
    public enum Status: String, Sendable {
        case creating, created, running, stopped
    }

    public var id: String
    public var status: Status
    /// The first process as the hook's own pid namespace numbers it; 0 leaves it out.
    public var pid: Int32
    /// The bundle's directory, absolute.
    public var bundle: String
    public var annotations: [String: String]

    public init(id: String, status: Status, pid: Int32, bundle: String, annotations: [String: String]) {
        self.id = id
        self.status = status
        self.pid = pid
        self.bundle = bundle
        self.annotations = annotations
    }

    func with(_ status: Status, pid: Int32) -> HookState {
        HookState(id: id, status: status, pid: pid, bundle: bundle, annotations: annotations)
    }

    var json: JSON {
        var object = JSONObject()
        object["ociVersion"] = .string(RuntimeSpec.currentVersion)
        object["id"] = .string(id)
        object["status"] = .string(status.rawValue)
        if pid > 0 { object["pid"] = .integer(Int64(pid)) }
        object["bundle"] = .string(bundle)
        if !annotations.isEmpty { object["annotations"] = JSON(annotations) }
        return .object(object)
    }
}
