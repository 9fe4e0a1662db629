internal import Execution
public import Failures

/// A log driver with its options, checked: what Docker takes for `json-file`, `local` and `none`.
///
/// Texts of refusals are moby's where it has one, but values are looked at when a container is created, not at its start.
public struct LogOptions: Sendable, Hashable {
    /// Docker's names of the drivers that there are.
    public static let drivers = ["json-file", "local", "none"]

    /// nil: nothing is recorded.
    let form: LogSettings.Form?
    /// nil: never rotated.
    private(set) var maximumSize: Int64?
    private(set) var maximumFiles = 1
    private(set) var compresses = false
    /// nil: `mode=blocking`.
    private(set) var bufferSize: Int?
    private(set) var attributes = LogAttributes()

    /// - Throws: `invalid` for a driver, an option or a value that there is not.
    public init(driver: String, _ options: [String: String]) throws(Failure) {
        // Docker looks at no option of a log that is not kept.
        if driver == "none" {
            form = nil
            return
        }
        guard let form = LogSettings.Form(rawValue: driver) else {
            throw Failure(
                .invalid,
                "logger: no log driver named '\(driver)' is registered: use \(Self.drivers.joined(separator: ", "))")
        }
        self.form = form
        if form == .local { (maximumSize, maximumFiles, compresses) = (20 << 20, 5, true) }
        try readMode(options)
        for (key, value) in options.sorted(by: { $0.key < $1.key }) {
            switch key {
            case "mode", "max-buffer-size": break
            case "max-size":
                if value == "-1" || value.isEmpty {
                    maximumSize = nil
                } else if let size = Self.bytes(value, unit: 1000), size > 0 {
                    maximumSize = size
                } else {
                    throw Failure(.invalid, "invalid value for max-size: \(value): give a number with k, m or g")
                }
            case "max-file":
                guard let count = Int(value), (1...LogSource.mostFiles).contains(count) else {
                    throw Failure(
                        .invalid, "invalid value for max-file: \(value): it must be from 1 to \(LogSource.mostFiles)")
                }
                maximumFiles = count
            case "compress": compresses = try Self.flag(value, key)
            case _ where form == .jsonFile && LogAttributes.options.contains(key): try attributes.read(key, value)
            default: throw Failure(.invalid, "unknown log opt '\(key)' for \(driver) log driver")
            }
        }
        if compresses, maximumFiles < 2 || maximumSize == nil {
            throw Failure(
                .invalid,
                form == .local
                    ? "compression cannot be enabled when max file count is 1: set compress=false or a larger max-file"
                    : "compress cannot be true when max-file is less than 2 or max-size is not set")
        }
    }

    private mutating func readMode(_ options: [String: String]) throws(Failure) {
        let mode = options["mode"] ?? ""
        guard ["", "blocking", "non-blocking"].contains(mode) else {
            throw Failure(.invalid, "logger: logging mode not supported: \(mode): use blocking or non-blocking")
        }
        let size = options["max-buffer-size"]
        guard mode == "non-blocking" else {
            if size == nil { return }
            throw Failure(.invalid, "logger: max-buffer-size option is only supported with 'mode=non-blocking'")
        }
        guard let bytes = Self.bytes(size ?? "1m", unit: 1024), (1...(1 << 30)).contains(bytes) else {
            throw Failure(
                .invalid, "error parsing option max-buffer-size: invalid size: '\(size ?? "")': from 1 byte to 1g")
        }
        bufferSize = Int(bytes)
    }

    /// What the shim is told to do for a container.
    func settings(path: String, of subject: LogAttributes.Subject) throws(Failure) -> LogSettings? {
        guard let form else { return nil }
        return LogSettings(
            path: path, form: form, maximumSize: maximumSize, maximumFiles: maximumFiles, compresses: compresses,
            bufferSize: bufferSize, attributes: try attributes.values(of: subject))
    }

    // MARK: Values

    /// `10m`, `1.5g`, `512k`, `100`, `10MB`, with powers of 1000 or of 1024.
    static func bytes(_ text: String, unit: Double) -> Int64? {
        let lower = text.lowercased()
        let digits = lower.prefix { $0.isASCII && $0.isNumber || $0 == "." }
        guard let number = Double(digits) else { return nil }
        let power: Int
        switch lower.dropFirst(digits.count).drop(while: { $0 == " " }) {
        case "", "b": power = 0
        case "k", "kb", "kib": power = 1
        case "m", "mb", "mib": power = 2
        case "g", "gb", "gib": power = 3
        case "t", "tb", "tib": power = 4
        default: return nil
        }
        return Int64(exactly: (0..<power).reduce(number) { product, _ in product * unit }.rounded(.down))
    }

    /// What Go's `strconv.ParseBool` takes.
    private static func flag(_ value: String, _ key: String) throws(Failure) -> Bool {
        switch value {
        case "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        default: throw Failure(.invalid, "invalid value for \(key): \(value): use true or false")
        }
    }
}
