internal import EngineClient
internal import Failures
internal import JSON

/// `skiff info`.
enum ShowInfo {
    static let verb = Verb("info", "Display system-wide information", usage: "[OPTIONS]", options: [Formats.inspect]) {
        invocation throws(Failure) in
        let client = try invocation.engine()
        var info = try client.json(Request(.get, "/info"))
        info["ClientInfo"] = ["Context": "default", "Version": .string(Program.version), "Debug": false]
        switch invocation[Formats.inspect] {
        case nil: invocation.console.write(text(info))
        case "json"?: invocation.console.print(info.text)
        case let format?: invocation.console.print(try Template(unescaped(format)).render(info))
        }
        for warning in info["Warnings"]?.arrayValue ?? [] { invocation.console.error(warning.stringValue ?? "") }
        return .success
    }

    static func text(_ info: JSON) -> String {
        func shown(_ key: String) -> String { info[key].map(GoText.print) ?? "" }
        var lines = ["Client:", " Version:    \(Program.version)", "", "Server:"]
        lines += [
            " Containers: \(shown("Containers"))", "  Running: \(shown("ContainersRunning"))",
            "  Paused: \(shown("ContainersPaused"))", "  Stopped: \(shown("ContainersStopped"))",
            " Images: \(shown("Images"))", " Server Version: \(shown("ServerVersion"))",
            " Storage Driver: \(shown("Driver"))",
        ]
        for pair in info["DriverStatus"]?.arrayValue ?? [] {
            lines.append("  \(pair[0]?.stringValue ?? ""): \(pair[1]?.stringValue ?? "")")
        }
        lines += [
            " Logging Driver: \(shown("LoggingDriver"))", " Cgroup Driver: \(shown("CgroupDriver"))",
            " Cgroup Version: \(shown("CgroupVersion"))",
        ]
        let plugins = info["Plugins"]?.objectValue ?? [:]
        if !plugins.isEmpty { lines.append(" Plugins:") }
        for (name, key) in [("Volume", "Volume"), ("Network", "Network"), ("Log", "Log")] {
            let names = (plugins[key]?.arrayValue ?? []).compactMap(\.stringValue)
            if !names.isEmpty { lines.append("  \(name): \(names.joined(separator: " "))") }
        }
        let runtimes = info["Runtimes"]?.objectValue?.keys.sorted() ?? []
        if !runtimes.isEmpty { lines.append(" Runtimes: \(runtimes.joined(separator: " "))") }
        lines.append(" Default Runtime: \(shown("DefaultRuntime"))")
        let security = (info["SecurityOptions"]?.arrayValue ?? []).compactMap(\.stringValue)
        if !security.isEmpty { lines.append(" Security Options:") }
        for option in security {
            for field in option.split(separator: ",") {
                let (key, value) = keyValue(String(field))
                lines.append(key == "name" ? "  \(value)" : "   \(key == "profile" ? "Profile" : key): \(value)")
            }
        }
        lines += [
            " Kernel Version: \(shown("KernelVersion"))", " Operating System: \(shown("OperatingSystem"))",
            " OSType: \(shown("OSType"))", " Architecture: \(shown("Architecture"))", " CPUs: \(shown("NCPU"))",
            " Total Memory: \(ByteSize.binary(info["MemTotal"]?.intValue ?? 0))", " Name: \(shown("Name"))",
            " ID: \(shown("ID"))", " Docker Root Dir: \(shown("DockerRootDir"))", " Debug Mode: \(shown("Debug"))",
        ]
        let labels = (info["Labels"]?.arrayValue ?? []).compactMap(\.stringValue)
        if !labels.isEmpty { lines += [" Labels:"] + labels.map { "  \($0)" } }
        lines.append(" Experimental: \(shown("ExperimentalBuild"))")
        let insecure = (info["RegistryConfig"]?["InsecureRegistryCIDRs"]?.arrayValue ?? []).compactMap(\.stringValue)
        if !insecure.isEmpty { lines += [" Insecure Registries:"] + insecure.map { "  \($0)" } }
        lines.append(" Live Restore Enabled: \(shown("LiveRestoreEnabled"))")
        return lines.joined(separator: "\n") + "\n"
    }
}
