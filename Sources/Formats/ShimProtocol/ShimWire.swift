internal import JSON

/// How messages become datagrams: one byte version, one byte flags, then a JSON object; or, when that is longer than
/// `inlineLimit`, only the two bytes, with the object in a sealed memory file that comes as the first descriptor.
///
/// ```
/// 0        1        2
/// ┌────────┬────────┬─────────────────────────────┐
/// │ 1      │ flags  │ {"tag":7,"do":"signal",…}   │     flags bit 0: the object is in the first descriptor
/// └────────┴────────┴─────────────────────────────┘
/// ```
public enum ShimWire {
    /// How the datagram is made; what the messages mean is ``ShimDialect``'s.
    ///
    /// One of another version is refused.
    public static let version: UInt8 = 1
    /// The longest object that travels inside its datagram.
    public static let inlineLimit = 32 << 10
    /// What a receiver offers as buffer.
    public static let datagramLimit = inlineLimit + 2
    /// The longest object at all.
    public static let payloadLimit = 8 << 20

    /// A datagram to send, and the object that has to go in a memory file first, if any.
    public struct Datagram: Sendable, Hashable {
        public var bytes: [UInt8]
        public var payload: [UInt8]?
    }

    /// A message with the number that ties an answer to its request; 0 for events that answer nothing.
    public struct Tagged<Message: Sendable & Hashable>: Sendable, Hashable {
        public var tag: UInt32
        public var message: Message

        public init(tag: UInt32, _ message: Message) {
            self.tag = tag
            self.message = message
        }
    }

    /// Why bytes are no message.
    public struct Malformed: Error, Sendable, Hashable, CustomStringConvertible {
        public let description: String
        /// The tag of the message, where that much could be read: whoever asked waits for an answer to it.
        public internal(set) var tag: UInt32 = 0
        public init(_ description: String) { self.description = description }
    }

    public static func encode(_ request: Tagged<ShimRequest>) -> Datagram {
        var object = JSONObject()
        object["tag"] = .integer(Int64(request.tag))
        request.message.write(into: &object)
        return datagram(object)
    }

    public static func encode(_ event: Tagged<ShimEvent>) -> Datagram {
        var object = JSONObject()
        object["tag"] = .integer(Int64(event.tag))
        event.message.write(into: &object)
        return datagram(object)
    }

    /// Whether the object of this datagram is in its first descriptor.
    public static func payloadIsApart(_ datagram: [UInt8]) throws(Malformed) -> Bool {
        guard datagram.count >= 2 else { throw Malformed("a datagram of \(datagram.count) bytes") }
        guard datagram[0] == version else { throw Malformed("version \(datagram[0])") }
        return datagram[1] & 1 != 0
    }

    /// Reads a request; `payload` is the first descriptor's content where `payloadIsApart`.
    public static func decodeRequest(_ datagram: [UInt8], payload: [UInt8]? = nil) throws(Malformed) -> Tagged<
        ShimRequest
    > {
        try message(datagram, payload) { fields throws(Malformed) in try ShimRequest(fields) }
    }

    /// Reads an event.
    public static func decodeEvent(_ datagram: [UInt8], payload: [UInt8]? = nil) throws(Malformed) -> Tagged<ShimEvent>
    {
        try message(datagram, payload) { fields throws(Malformed) in try ShimEvent(fields) }
    }

    private static func message<Message: Sendable & Hashable>(
        _ datagram: [UInt8], _ payload: [UInt8]?, _ read: (WireFields) throws(Malformed) -> Message
    ) throws(Malformed) -> Tagged<Message> {
        let fields = try object(datagram, payload)
        let tag = try fields.tag()
        do throws(Malformed) { return Tagged(tag: tag, try read(fields)) } catch {
            var tagged = error
            tagged.tag = tag
            throw tagged
        }
    }

    private static func datagram(_ object: JSONObject) -> Datagram {
        let body = JSON.object(object).serialized()
        if body.count > inlineLimit { return Datagram(bytes: [version, 1], payload: body) }
        return Datagram(bytes: [version, 0] + body, payload: nil)
    }

    private static func object(_ datagram: [UInt8], _ payload: [UInt8]?) throws(Malformed) -> WireFields {
        let text: [UInt8]
        if try payloadIsApart(datagram) {
            guard let payload else { throw Malformed("no payload") }
            text = payload
        } else {
            text = Array(datagram[2...])
        }
        let json: JSON
        do { json = try JSON.parse(text, limits: JSON.Limits(bytes: payloadLimit)) } catch {
            throw Malformed(error.description)
        }
        guard case .object(let object) = json else { throw Malformed("not an object") }
        return WireFields(object)
    }
}
