internal import JSON

extension ShimEvent {
    func write(into object: inout JSONObject) {
        switch self {
        case .started(let pid, let at):
            object["is"] = "started"
            object.set("pid", pid)
            object.set("at", at)
        case .failed(let report):
            object["is"] = "failed"
            object.set("stage", report.stage)
            object.set("errno", report.errno)
            object.set("path", report.path)
            object.set("message", report.message)
        case .done: object["is"] = "done"
        case .executing(let id, let pid):
            object["is"] = "executing"
            object.set("id", id)
            object.set("pid", pid)
        case .processes(let pids):
            object["is"] = "processes"
            object["pids"] = .array(pids.map { JSON($0) })
        case .state(let state):
            object["is"] = "state"
            state.write(into: &object)
        case .execEnded(let id, let exit):
            object["is"] = "execEnded"
            object.set("id", id)
            object["exit"] = .object(exit.object)
        case .outOfMemory: object["is"] = "outOfMemory"
        case .exited(let exit):
            object["is"] = "exited"
            object["exit"] = .object(exit.object)
        case .warning(let message):
            object["is"] = "warning"
            object.set("message", message)
        }
    }

    init(_ fields: WireFields) throws(ShimWire.Malformed) {
        switch try fields.string("is") {
        case "started": self = .started(pid: try fields.number("pid"), at: try fields.number("at"))
        case "failed":
            self = .failed(
                FailureReport(
                    stage: try fields.string("stage"), errno: try fields.number("errno"),
                    path: try fields.optionalString("path"), message: try fields.string("message")))
        case "done": self = .done
        case "executing": self = .executing(id: try fields.string("id"), pid: try fields.number("pid"))
        case "processes": self = .processes(try fields.numbers("pids"))
        case "state": self = .state(try ShimState(fields))
        case "execEnded": self = .execEnded(id: try fields.string("id"), try ExitReport(fields.fields("exit")))
        case "outOfMemory": self = .outOfMemory
        case "exited": self = .exited(try ExitReport(fields.fields("exit")))
        case "warning": self = .warning(try fields.string("message"))
        case let other: throw ShimWire.Malformed("unknown event \"\(other)\"")
        }
    }
}

extension ExitReport {
    var object: JSONObject {
        var object = JSONObject()
        object.set("code", code)
        object.set("signal", signal)
        object.set("oom", oomKilled)
        object.set("at", at)
        return object
    }

    init(_ fields: WireFields) throws(ShimWire.Malformed) {
        self.init(
            code: try fields.number("code"), signal: try fields.optionalNumber("signal"),
            oomKilled: try fields.flag("oom"), at: try fields.number("at"))
    }
}

extension ShimState {
    func write(into object: inout JSONObject) {
        object.set("id", id)
        object.set("pid", pid)
        object.set("startedAt", startedAt)
        object.set("paused", isPaused)
        object.set("oom", oomKilled)
        if let exit { object["exit"] = .object(exit.object) }
        object.set(
            "execs",
            execs.map { exec in
                var object = JSONObject()
                object.set("id", exec.id)
                object.set("pid", exec.pid)
                if let exit = exec.exit { object["exit"] = .object(exit.object) }
                return object
            })
        object.set("revision", dialect.revision)
        object.set("requests", dialect.requests.sorted())
    }

    init(_ fields: WireFields) throws(ShimWire.Malformed) {
        var execs: [Exec] = []
        for exec in try fields.list("execs") {
            let exit = try exec.optionalFields("exit")
            execs.append(
                Exec(id: try exec.string("id"), pid: try exec.number("pid"), exit: try exit.map(ExitReport.init)))
        }
        let exit = try fields.optionalFields("exit")
        let requests = try fields.optionalStrings("requests")
        let dialect = ShimDialect(
            revision: try fields.optionalNumber("revision") ?? ShimDialect.first.revision,
            requests: requests.map { Set($0) } ?? ShimDialect.first.requests)
        self.init(
            id: try fields.string("id"), pid: try fields.number("pid"), startedAt: try fields.number("startedAt"),
            isPaused: try fields.flag("paused"), oomKilled: try fields.flag("oom"),
            exit: try exit.map(ExitReport.init), execs: execs, dialect: dialect)
    }
}
