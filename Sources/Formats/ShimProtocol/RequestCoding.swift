internal import JSON
internal import OCI

extension ShimRequest {
    /// What the request is called on the wire.
    public var name: String {
        switch self {
        case .launch: "launch"
        case .hello: "hello"
        case .attach: "attach"
        case .exec: "exec"
        case .signal: "signal"
        case .resize: "resize"
        case .pause: "pause"
        case .resume: "resume"
        case .update: "update"
        case .processes: "processes"
        case .forget: "forget"
        case .collect: "collect"
        }
    }

    func write(into object: inout JSONObject) {
        object.set("do", name)
        switch self {
        case .launch(let order):
            object["order"] = .object(order.object)
        case .hello, .pause, .resume, .processes, .collect: break
        case .attach(let process, let stream):
            object.set("process", process)
            object["stream"] = .object(stream.object)
        case .exec(let order):
            object["order"] = .object(order.object)
        case .signal(let number, let target):
            object.set("number", number)
            switch target {
            case .initial: break
            case .all: object.set("all", true)
            case .exec(let id): object.set("process", id)
            }
        case .resize(let process, let rows, let columns):
            object.set("process", process)
            object.set("rows", rows)
            object.set("columns", columns)
        case .update(let resources):
            object["resources"] = resources
        case .forget(let exec):
            object.set("process", exec)
        }
    }

    init(_ fields: WireFields) throws(ShimWire.Malformed) {
        switch try fields.string("do") {
        case "launch": self = .launch(try LaunchOrder(fields.fields("order")))
        case "hello": self = .hello
        case "attach":
            self = .attach(
                process: try fields.optionalString("process"), stream: try StreamOrder(fields.fields("stream")))
        case "exec": self = .exec(try ExecOrder(fields.fields("order")))
        case "signal":
            let target: SignalTarget
            if let exec = try fields.optionalString("process") {
                target = .exec(exec)
            } else {
                target = try fields.flag("all") ? .all : .initial
            }
            self = .signal(try fields.number("number"), to: target)
        case "resize":
            self = .resize(
                process: try fields.optionalString("process"), rows: try fields.number("rows"),
                columns: try fields.number("columns"))
        case "pause": self = .pause
        case "resume": self = .resume
        case "update": self = .update(try fields.json("resources"))
        case "processes": self = .processes
        case "forget": self = .forget(exec: try fields.string("process"))
        case "collect": self = .collect
        case let other: throw ShimWire.Malformed("unknown request \"\(other)\"")
        }
    }
}

extension LaunchOrder {
    var object: JSONObject {
        var object = JSONObject()
        object.set("id", id)
        object.set("directory", directory)
        object["spec"] = spec
        var mount = JSONObject()
        mount.set("base", rootfs.base)
        mount.set("lower", rootfs.lower)
        mount.set("upper", rootfs.upper)
        mount.set("work", rootfs.work)
        object["rootfs"] = .object(mount)
        object.set("network", joinsNetwork)
        object.set("filter", isFiltered)
        object.set("cgroup", cgroup)
        object.set("systemd", usesSystemd)
        if let log { object["log"] = .object(log.object) }
        object.set("streams", streams.map(\.object))
        object.set("input", input.rawValue)
        object.set("init", usesInit)
        if let runtime {
            object.set("runtime", runtime.path)
            if !runtime.arguments.isEmpty { object.set("runtimeArgs", runtime.arguments) }
        }
        return object
    }

    init(_ fields: WireFields) throws(ShimWire.Malformed) {
        let mount = try fields.fields("rootfs")
        let log = try fields.optionalFields("log")
        let runtime = try fields.optionalString("runtime")
        let runtimeArguments = try fields.optionalStrings("runtimeArgs") ?? []
        self.init(
            id: try fields.string("id"), directory: try fields.string("directory"), spec: try fields.json("spec"),
            rootfs: OverlayMount(
                base: try mount.string("base"), lower: try mount.strings("lower"),
                upper: try mount.optionalString("upper"), work: try mount.optionalString("work")),
            joinsNetwork: try fields.flag("network"), isFiltered: try fields.flag("filter"),
            cgroup: try fields.string("cgroup"), usesSystemd: try fields.flag("systemd"),
            log: try log.map(LogOrder.init),
            streams: try streamOrders(fields), input: try InputOrder(fields),
            usesInit: try fields.flag("init"),
            runtime: runtime.map { RuntimeProgram(path: $0, arguments: runtimeArguments) })
    }
}

extension ExecOrder {
    var object: JSONObject {
        var object = JSONObject()
        object.set("id", id)
        object.set("args", arguments)
        object.set("env", environment)
        object.set("cwd", workingDirectory)
        object.set("user", user)
        object.set("capabilities", capabilities)
        object.set("filter", isFiltered)
        object.set("terminal", terminal)
        object.set("rows", rows)
        object.set("columns", columns)
        object.set("streams", streams.map(\.object))
        object.set("input", input.rawValue)
        return object
    }

    init(_ fields: WireFields) throws(ShimWire.Malformed) {
        self.init(
            id: try fields.string("id"), arguments: try fields.strings("args"),
            environment: try fields.optionalStrings("env"), workingDirectory: try fields.optionalString("cwd"),
            user: try fields.optionalString("user"),
            capabilities: try fields.optionalStrings("capabilities"), isFiltered: try fields.flag("filter"),
            terminal: try fields.flag("terminal"), rows: try fields.optionalNumber("rows"),
            columns: try fields.optionalNumber("columns"), streams: try streamOrders(fields),
            input: try InputOrder(fields))
    }
}

private func streamOrders(_ fields: WireFields) throws(ShimWire.Malformed) -> [StreamOrder] {
    var orders: [StreamOrder] = []
    for stream in try fields.list("streams") { orders.append(try StreamOrder(stream)) }
    return orders
}

extension StreamOrder {
    var object: JSONObject {
        var object = JSONObject()
        object.set("in", input)
        object.set("out", output)
        object.set("err", errors)
        object.set("framed", framed)
        object.set("patience", patience)
        return object
    }

    init(_ fields: WireFields) throws(ShimWire.Malformed) {
        self.init(
            input: try fields.flag("in"), output: try fields.flag("out"), errors: try fields.flag("err"),
            framed: try fields.flag("framed"), patience: try fields.optionalNumber("patience"))
    }
}

extension InputOrder {
    init(_ fields: WireFields) throws(ShimWire.Malformed) {
        let text = try fields.string("input")
        guard let value = InputOrder(rawValue: text) else { throw ShimWire.Malformed("unknown input \"\(text)\"") }
        self = value
    }
}

extension LogOrder {
    var object: JSONObject {
        var object = JSONObject()
        object.set("path", path)
        if form != .jsonFile { object.set("form", form.rawValue) }
        object.set("size", maximumSize)
        object.set("files", maximumFiles)
        object.set("compress", compresses)
        object.set("buffer", bufferSize)
        if !attributes.isEmpty { object["attrs"] = JSON(attributes) }
        return object
    }

    init(_ fields: WireFields) throws(ShimWire.Malformed) {
        let form = try fields.optionalString("form") ?? Form.jsonFile.rawValue
        guard let form = Form(rawValue: form) else { throw ShimWire.Malformed("unknown log form \"\(form)\"") }
        self.init(
            path: try fields.string("path"), form: form, maximumSize: try fields.optionalNumber("size"),
            maximumFiles: try fields.number("files"), compresses: try fields.flag("compress"),
            bufferSize: try fields.optionalNumber("buffer"), attributes: try fields.stringMap("attrs"))
    }
}
