public import Failures

/// What an image was built for: operating system, processor, and perhaps its variant.
///
/// Always normalised (Go's names: "amd64", "arm64", "arm" with "v7"), so that platforms from images, flags and the host
/// compare.
public struct Platform: Sendable, Hashable, Codable {
    public let architecture: String
    public let os: String
    public let variant: String?

    public init(architecture: String, os: String = "linux", variant: String? = nil) {
        let os = os.lowercased()
        self.os = os == "macos" ? "darwin" : os
        (self.architecture, self.variant) = Self.normalised(architecture.lowercased(), variant?.lowercased())
    }

    /// "linux/arm64", "linux/arm/v7", or an operating system or architecture alone.
    public init(parsing text: String) throws(Failure) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let wellFormed = parts.allSatisfy { part in
            !part.isEmpty && part.utf8.allSatisfy { $0.isAlphanumeric || "_.-".utf8.contains($0) }
        }
        guard wellFormed, (1...3).contains(parts.count) else {
            throw Failure(.invalid, "invalid platform \(quoted(text)): want os/architecture[/variant]")
        }
        switch parts.count {
        case 1 where Self.operatingSystems.contains(parts[0].lowercased()):
            self.init(architecture: Self.host.architecture, os: parts[0], variant: Self.host.variant)
        case 1:
            let platform = Platform(architecture: parts[0])
            guard Self.architectures.contains(platform.architecture) else {
                throw Failure(.invalid, "unknown platform \(quoted(text)): want os/architecture[/variant]")
            }
            self = platform
        default:
            self.init(architecture: parts[1], os: parts[0], variant: parts.count == 3 ? parts[2] : nil)
        }
    }

    /// The platform this program was built for.
    public static let host: Platform = {
        #if arch(x86_64)
            Platform(architecture: "amd64")
        #elseif arch(arm64)
            Platform(architecture: "arm64")
        #elseif arch(arm)
            Platform(architecture: "arm", variant: "v7")
        #elseif arch(riscv64)
            Platform(architecture: "riscv64")
        #elseif arch(powerpc64le)
            Platform(architecture: "ppc64le")
        #elseif arch(s390x)
            Platform(architecture: "s390x")
        #else
            #error("name this architecture as Go does")
        #endif
    }()

    /// How well an image for `candidate` runs here: 0 is exact, larger is a fallback, nil is not at all.
    ///
    /// A newer variant runs older ones, arm64 runs arm, amd64 runs 386; an image that names no variant is taken for the
    /// oldest.
    public func rank(of candidate: Platform) -> Int? {
        guard os == candidate.os else { return nil }
        return runnable.firstIndex { $0 == (candidate.architecture, candidate.variant) }
    }

    public func matches(_ candidate: Platform) -> Bool { rank(of: candidate) != nil }

    /// Architectures and variants that run here, best first.
    private var runnable: [(String, String?)] {
        switch architecture {
        case "arm": Self.armVariants(from: variant)
        case "arm64": variants(newest: variant, plain: "arm64") + Self.armVariants(from: "v8")
        case "amd64": variants(newest: variant, plain: "amd64") + [("386", nil)]
        default: variant == nil ? [(architecture, nil)] : [(architecture, variant), (architecture, nil)]
        }
    }

    private static func armVariants(from newest: String?) -> [(String, String?)] {
        let all = ["v8", "v7", "v6", "v5"]
        let start = newest.flatMap(all.firstIndex(of:)) ?? 1
        return all[start...].map { ("arm", $0) }
    }

    /// "v3" runs v3, v2 and what names no variant.
    private func variants(newest: String?, plain: String) -> [(String, String?)] {
        guard let newest else { return [(plain, nil)] }
        guard let level = Int(newest.dropFirst()), (2...16).contains(level) else {
            return [(plain, newest), (plain, nil)]
        }
        return (2...level).reversed().map { (plain, "v\($0)") } + [(plain, nil)]
    }

    private static let operatingSystems: Set<String> = [
        "linux", "darwin", "macos", "windows", "freebsd", "netbsd", "openbsd", "solaris", "illumos", "wasip1", "js",
    ]

    private static let architectures: Set<String> = [
        "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le",
        "riscv64", "s390x", "wasm",
    ]

    /// Names that uname, Debian and people use, as Go has them.
    private static func normalised(_ architecture: String, _ variant: String?) -> (String, String?) {
        let variant = variant?.isEmpty == true ? nil : variant
        switch architecture {
        case "x86_64", "x86-64", "amd64": return ("amd64", variant == "v1" ? nil : variant)
        case "i386", "i486", "i586", "i686", "x86", "386": return ("386", nil)
        case "aarch64", "arm64": return ("arm64", ["8", "v8", "v8.0"].contains(variant ?? "v8") ? nil : variant)
        case "armhf": return ("arm", "v7")
        case "armel": return ("arm", "v6")
        case "arm":
            let known = ["5": "v5", "6": "v6", "7": "v7", "8": "v8"]
            return ("arm", variant.map { known[$0] ?? $0 } ?? "v7")
        default: return (architecture, variant)
        }
    }
}

extension Platform: CustomStringConvertible {
    public var description: String { "\(os)/\(architecture)" + (variant.map { "/\($0)" } ?? "") }
}

extension Platform {
    private enum CodingKeys: String, CodingKey {
        case architecture, os, variant
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            architecture: try container.decodeIfPresent(String.self, forKey: .architecture) ?? "",
            os: try container.decodeIfPresent(String.self, forKey: .os) ?? "",
            variant: try container.decodeIfPresent(String.self, forKey: .variant))
    }
}
