/// What CRIU says: `criu_resp` of its `images/rpc.proto`.
struct CRIUResponse: Sendable {
    /// What CRIU has come to, or wants done, in the middle of its work.
    struct Notification: Sendable, Equatable {
        /// Names as `--action-script` knows them; see criu(8).
        var script: String
        /// The first process as CRIU's namespace numbers it, where it is known already.
        var pid: Int32?
    }

    struct Features: Sendable, Equatable {
        var memoryTracking: Bool
        var lazyPages: Bool
    }

    var kind: Int32
    var success: Bool
    var notification: Notification?
    /// The number that CRIU failed with; 0 where it has none to give.
    var errno: Int32
    var features: Features?
    var version: CRIUVersion?

    init?(_ bytes: [UInt8]) {
        guard let fields = ProtobufFields(bytes), let kind = fields.number(1), let success = fields.flag(2) else {
            return nil
        }
        self.kind = kind
        self.success = success
        notification = fields.message(5).map {
            Notification(script: $0.text(1) ?? "", pid: $0.number(2).flatMap { $0 > 0 ? $0 : nil })
        }
        errno = fields.number(7) ?? 0
        features = fields.message(8).map {
            Features(memoryTracking: $0.flag(1) ?? false, lazyPages: $0.flag(2) ?? false)
        }
        version = fields.message(10).flatMap { version in
            guard let major = version.number(1), let minor = version.number(2) else { return nil }
            return CRIUVersion(major, minor, version.number(4) ?? 0)
        }
    }
}

/// CRIU's version, as it is compared.
public struct CRIUVersion: Sendable, Comparable, CustomStringConvertible {
    let numbers: [Int32]

    init(_ major: Int32, _ minor: Int32, _ sublevel: Int32 = 0) { numbers = [major, minor, sublevel] }

    public static func < (left: CRIUVersion, right: CRIUVersion) -> Bool {
        left.numbers.lexicographicallyPrecedes(right.numbers)
    }

    public var description: String { numbers.map(String.init).joined(separator: ".") }
}
