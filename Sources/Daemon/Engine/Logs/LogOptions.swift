internal import Execution
internal import Failures

/// The options of the `json-file` log driver.
struct LogOptions: Sendable, Hashable {
    /// nil: never rotated.
    var maximumSize: Int64?
    var maximumFiles = 1
    /// Labels and variables that each record carries.
    var labels: [String] = []
    var variables: [String] = []

    init(_ options: [String: String]) throws(Failure) {
        for (key, value) in options.sorted(by: { $0.key < $1.key }) {
            switch key {
            case "max-size":
                if value == "-1" || value.isEmpty { break }
                guard let size = Self.bytes(value), size > 0 else {
                    throw Failure(.invalid, "invalid value for max-size: \(value)")
                }
                maximumSize = size
            case "max-file":
                guard let count = Int(value), (1...1000).contains(count) else {
                    throw Failure(.invalid, "invalid value for max-file: \(value); it must be from 1 to 1000")
                }
                maximumFiles = count
            case "labels": labels = value.split(separator: ",").map(String.init)
            case "env": variables = value.split(separator: ",").map(String.init)
            // Rotated files are kept plain; the others only change what a record is tagged with.
            case "compress", "tag", "labels-regex", "env-regex", "mode", "max-buffer-size": break
            default: throw Failure(.invalid, "unknown log opt '\(key)' for json-file log driver")
            }
        }
        if maximumFiles > 1, maximumSize == nil {
            throw Failure(.invalid, "max-file cannot be set without max-size: set both")
        }
    }

    func settings(path: String, config: ContainerConfig) -> LogSettings {
        var attributes: [String: String] = [:]
        for label in labels { attributes[label] = config.labels[label] }
        for name in variables {
            if let entry = config.env.last(where: { $0.hasPrefix(name + "=") }) {
                attributes[name] = String(entry.dropFirst(name.count + 1))
            }
        }
        return LogSettings(path: path, maximumSize: maximumSize, maximumFiles: maximumFiles, attributes: attributes)
    }

    /// `10m`, `1g`, `512k`, `100`, `10MB`: powers of 1024.
    static func bytes(_ text: String) -> Int64? {
        let lower = text.lowercased()
        let digits = lower.prefix { $0.isNumber }
        guard let number = Int64(digits) else { return nil }
        let factor: Int64
        switch lower.dropFirst(digits.count) {
        case "", "b": factor = 1
        case "k", "kb", "kib": factor = 1 << 10
        case "m", "mb", "mib": factor = 1 << 20
        case "g", "gb", "gib": factor = 1 << 30
        default: return nil
        }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }
}
