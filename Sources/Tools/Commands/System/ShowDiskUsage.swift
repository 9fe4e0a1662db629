internal import EngineClient
internal import Failures
internal import JSON

/// `skiff system df`.
enum ShowDiskUsage {
    static let verb = Verb("df", "Show disk usage", usage: "[OPTIONS]", options: [Formats.option]) {
        invocation throws(Failure) in
        let usage = try invocation.engine().json(Request(.get, "/system/df"))
        let listing = Listing(
            titles: [
                "Type": "TYPE", "TotalCount": "TOTAL", "Active": "ACTIVE", "Size": "SIZE",
                "Reclaimable": "RECLAIMABLE",
            ], standard: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}", idTemplate: "{{.Type}}"
        )
        invocation.console.write(try listing.text(rows(usage), format: invocation[Formats.option], quiet: false))
        return .success
    }

    /// Bytes of a kind of thing, and of those that nothing uses.
    private struct Sum {
        var total = 0
        var active = 0
        var size: Int64 = 0
        var idle: Int64 = 0

        mutating func add(_ bytes: Int64, isActive: Bool) {
            total += 1
            size += max(0, bytes)
            if isActive { active += 1 } else { idle += max(0, bytes) }
        }

        func row(_ name: String) -> Row {
            let percent = size > 0 ? " (\(idle * 100 / size)%)" : ""
            return Row([
                "Type": .string(name), "TotalCount": .string(String(total)), "Active": .string(String(active)),
                "Size": .string(ByteSize.decimal(size, digits: 4)),
                "Reclaimable": .string(ByteSize.decimal(idle, digits: 4) + percent),
            ])
        }
    }

    private static func rows(_ usage: JSON) -> [Row] {
        var images = Sum()
        var used: Int64 = 0
        for image in usage["Images"]?.arrayValue ?? [] {
            let size = image["Size"]?.intValue ?? 0, isActive = (image["Containers"]?.intValue ?? 0) > 0
            images.add(size, isActive: isActive)
            if isActive { used += max(0, size - max(0, image["SharedSize"]?.intValue ?? 0)) }
        }
        // Layers that images share are counted once by the engine.
        if let layers = usage["LayersSize"]?.intValue { images.size = layers }
        images.idle = max(0, images.size - used)
        var containers = Sum()
        for container in usage["Containers"]?.arrayValue ?? [] {
            let active = ["running", "paused", "restarting"].contains(container["State"]?.stringValue ?? "")
            containers.add(container["SizeRw"]?.intValue ?? 0, isActive: active)
        }
        var volumes = Sum()
        for volume in usage["Volumes"]?.arrayValue ?? [] {
            let data = volume["UsageData"]
            volumes.add(data?["Size"]?.intValue ?? 0, isActive: (data?["RefCount"]?.intValue ?? 0) > 0)
        }
        var cache = Sum()
        for entry in usage["BuildCache"]?.arrayValue ?? [] {
            cache.add(entry["Size"]?.intValue ?? 0, isActive: entry["InUse"]?.boolValue == true)
        }
        return [
            images.row("Images"), containers.row("Containers"), volumes.row("Local Volumes"), cache.row("Build Cache"),
        ]
    }
}
