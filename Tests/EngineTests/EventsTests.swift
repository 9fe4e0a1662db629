import Failures
import Testing

@testable import Engine

@Suite struct EventBusTests {
    private func event(
        _ action: String, _ time: Int64 = 1, labels: [String: String] = [:], kind: Event.Kind = .container
    ) -> Event {
        Event(
            kind, action, actor: "abcdef",
            attributes: ["name": "web", "image": "alpine:3"].merging(labels) { _, new in new },
            time: Timestamp(nanoseconds: time))
    }

    private func collect(_ stream: AsyncStream<Event>) async -> [String] {
        var actions: [String] = []
        for await event in stream { actions.append(event.action) }
        return actions
    }

    @Test func aSubscriberHearsWhatComesAfterIt() async {
        let bus = EventBus()
        bus.publish(event("early"))
        let stream = bus.subscribe()
        bus.publish(event("create"))
        bus.publish(event("start"))
        var iterator = stream.makeAsyncIterator()
        #expect(await iterator.next()?.action == "create")
        #expect(await iterator.next()?.action == "start")
    }

    @Test func thePastIsReplayedFromTheRing() async {
        let bus = EventBus()
        for number in 1...300 { bus.publish(event("e\(number)", Int64(number))) }
        let all = await collect(bus.subscribe(since: Timestamp(nanoseconds: 0), until: Timestamp(nanoseconds: 1000)))
        #expect(all.count == 256)
        #expect(all.first == "e45")
        #expect(all.last == "e300")
        let some = await collect(bus.subscribe(since: Timestamp(nanoseconds: 298), until: Timestamp(nanoseconds: 299)))
        #expect(some == ["e298", "e299"])
        #expect(await collect(bus.subscribe(until: Timestamp(nanoseconds: 1))) == [])
    }

    @Test func aListenerThatFallsBehindIsEnded() async {
        let bus = EventBus()
        let stream = bus.subscribe()
        for number in 0...(EventBus.backlog + 10) { bus.publish(event("e\(number)")) }
        #expect(await collect(stream).count == EventBus.backlog)
    }

    @Test func everybodyHearsTheSameOrder() async {
        let bus = EventBus()
        let streams = (0..<2).map { _ in bus.subscribe() }
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<100 { group.addTask { bus.publish(event("e\(number)")) } }
        }
        var orders: [[String]] = []
        for stream in streams {
            var iterator = stream.makeAsyncIterator()
            var order: [String] = []
            while order.count < 100, let next = await iterator.next() { order.append(next.action) }
            orders.append(order)
        }
        #expect(orders[0] == orders[1])
    }

    static let matching: [([String: [String]], Bool)] = [
        ([:], true), (["type": ["container"]], true), (["type": ["image", "container"]], true),
        (["type": ["image"]], false),
        (["event": ["exec_create"]], true), (["event": ["exec_create: sh"]], true), (["event": ["exec"]], false),
        (["container": ["web"]], true), (["container": ["/web"]], true), (["container": ["abc"]], true),
        (["container": ["other"]], false),
        (["container": [""]], false), (["label": ["a=1"]], true), (["label": ["a=1", "b=2"]], false),
        (["label": ["a"]], true),
        (["image": ["alpine"]], true), (["image": ["alpine:3"]], true), (["image": ["alpine:4"]], false),
        (["type": ["container"], "event": ["start"]], false), (["volume": ["web"]], false),
        (["scope": ["local"]], true),
        (["plugin": ["x"]], false),
    ]

    @Test(arguments: matching)
    func filters(values: [String: [String]], expected: Bool) {
        #expect(event("exec_create: sh", labels: ["a": "1"]).matches(Filters(values)) == expected)
    }
}

@Suite struct FiltersTests {
    @Test(arguments: [
        #"{"label":{"a=b":true,"c":true}}"#, #"{"label":["a=b","c"]}"#,
    ])
    func bothFormsAreRead(text: String) throws {
        let filters = try Filters(parameter: text, accepted: ["label"])
        #expect(filters["label"] == ["a=b", "c"])
        #expect(filters.matchesLabels(["a": "b", "c": ""]))
        #expect(!filters.matchesLabels(["a": "b"]))
        #expect(!filters.matchesLabels(["a": "x", "c": ""]))
    }

    @Test(arguments: ["{", "[]", "1", #"{"label":1}"#, #"{"label":[1]}"#, #"{"bogus":["x"]}"#])
    func brokenOnesAreRefused(text: String) {
        let error = #expect(throws: Failure.self) { try Filters(parameter: text, accepted: ["label"]) }
        #expect(error?.kind == .invalid)
        #expect(error?.message.hasPrefix("invalid filter") == true)
    }

    @Test func nothingIsNoFilter() throws {
        #expect(try Filters(parameter: nil, accepted: []).isEmpty)
        #expect(try Filters(parameter: "", accepted: []).isEmpty)
        #expect(try Filters(parameter: "{}", accepted: []).isEmpty)
    }

    @Test func flagsAreGivenOnce() throws {
        #expect(try Filters(["dangling": ["1"]]).flag("dangling") == true)
        #expect(try Filters(["dangling": ["false"]]).flag("dangling") == false)
        #expect(try Filters().flag("dangling") == nil)
        #expect(throws: Failure.self) { try Filters(["dangling": ["true", "false"]]).flag("dangling") }
        #expect(throws: Failure.self) { try Filters(["dangling": ["maybe"]]).flag("dangling") }
    }

    @Test func negatedLabelsShutOut() {
        let filters = Filters(["label!": ["keep", "env=prod"]])
        #expect(filters.matchesLabels(["env": "test"]))
        #expect(!filters.matchesLabels(["keep": ""]))
        #expect(!filters.matchesLabels(["env": "prod"]))
    }

    @Test(arguments: [("10m", 600), ("1h30m", 5400), ("1.5s", 1), ("90s", 90)])
    func untilCountsBack(text: String, seconds: Int) throws {
        let now = Timestamp(nanoseconds: 1_700_000_000_000_000_000)
        let until = try PruneService.until(Filters(["until": [text]]), now: now)
        #expect(until.map { (now.nanoseconds - $0.nanoseconds) / 1_000_000_000 } == Int64(seconds))
    }

    @Test func untilTakesMomentsOnce() throws {
        #expect(try PruneService.until(Filters(["until": ["1700000000"]]))?.seconds == 1_700_000_000)
        #expect(try PruneService.until(Filters()) == nil)
        #expect(throws: Failure.self) { try PruneService.until(Filters(["until": ["1h", "2h"]])) }
        #expect(throws: Failure.self) { try PruneService.until(Filters(["until": ["soon"]])) }
    }

    @Test func namesAreExpressionsWithoutTheCostlyParts() throws {
        #expect(try NamePattern("^/?web[0-9]+$").matches("web12"))
        #expect(try !NamePattern("^web$").matches("web2"))
        #expect(try NamePattern("eb").matches("web"))
        for bad in ["(", "[", "a{1,255}{1,255}", #"(a)\1"#, String(repeating: "a", count: 2000)] {
            #expect(throws: Failure.self) { try NamePattern(bad) }
        }
    }

    @Test func portFiltersAreRanges() throws {
        #expect(try PortRange("80").contains(80, "udp"))
        #expect(try !PortRange("80/tcp").contains(80, "udp"))
        #expect(try PortRange("8000-9000/tcp").contains(8500, "tcp"))
        for bad in ["", "x", "9-8", "1-2-3", "70000"] { #expect(throws: Failure.self) { try PortRange(bad) } }
    }
}
