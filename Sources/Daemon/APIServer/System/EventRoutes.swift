internal import DockerAPI
internal import Engine
internal import Failures
internal import HTTPServer
internal import NIOCore
internal import NIOHTTP1

/// `/events`: what happens, as it happens.
struct EventRoutes: Sendable {
    let bus: EventBus

    var routes: [Route] { [Route(.GET, "/events", events)] }

    private func events(_ exchange: Exchange) async throws -> Reply {
        let (since, until) = (try exchange.time("since"), try exchange.time("until"))
        if let since, let until, since > until {
            throw Failure(.invalid, "`since` time (\(since.seconds)) cannot be after `until` time (\(until.seconds))")
        }
        let stream = bus.subscribe(since: since, until: until, filters: try exchange.filters(Filters.events))
        let format = Format(accept: exchange.request.headers.first(name: "accept"))
        return Reply(
            .ok, headers: ["Content-Type": format.rawValue],
            body: .stream { writer in
                try await writer.begin()
                for await event in stream {
                    var bytes = ByteBuffer()
                    // RFC 7464: a record separator stands before each document.
                    if format == .sequence { bytes.writeInteger(UInt8(0x1E)) }
                    bytes.writeImmutableBuffer(try ByteBuffer(line: Self.message(event)))
                    try await writer.write(bytes)
                }
            }, endsWithClient: true)
    }

    private enum Format: String {
        case json = "application/json"
        case lines = "application/jsonl"
        case newlineDelimited = "application/x-ndjson"
        case sequence = "application/json-seq"

        init(accept: String?) {
            let wanted = (accept ?? "").split(separator: ",").compactMap { part in
                Format(rawValue: part.prefix { $0 != ";" }.filter { $0 != " " }.lowercased())
            }
            self = wanted.first ?? .json
        }
    }

    static func message(_ event: Event) -> EventMessage {
        var message = EventMessage()
        message.type = event.kind.rawValue
        message.action = event.action
        message.actor.id = event.actor
        message.actor.attributes = event.attributes
        message.time = event.time.seconds
        message.timeNano = event.time.nanoseconds
        // The members of old, until API 1.52.
        if event.kind == .container || event.kind == .image {
            message.status = event.action
            message.id = event.actor
        }
        if event.kind == .container { message.from = event.attributes["image"] }
        return message
    }
}
