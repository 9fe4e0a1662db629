internal import OCI

/// The values that come from outside the Dockerfile, and those that every build knows.
struct BuildArguments: Sendable {
    /// As they were handed in; `nil` stands for one that was named without a value.
    let given: [String: String?]
    /// `TARGETPLATFORM` and its like.
    let platform: [String: String]

    init(_ given: [String: String?], target: Platform, build: Platform = .host, stage: String = "default") {
        self.given = given
        platform = [
            "TARGETPLATFORM": target.description, "TARGETOS": target.os, "TARGETARCH": target.architecture,
            "TARGETVARIANT": target.variant ?? "", "BUILDPLATFORM": build.description, "BUILDOS": build.os,
            "BUILDARCH": build.architecture, "BUILDVARIANT": build.variant ?? "", "TARGETSTAGE": stage,
        ]
    }

    /// The value that was handed in for the name.
    subscript(_ name: String) -> String? { given[name] ?? nil }

    /// Known without an ARG, in both cases; they are in no history and no key.
    static let proxies: Set<String> = {
        let names = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"]
        return Set(names + names.map { $0.lowercased() })
    }()

    /// Understood by BuildKit's frontend; nobody is warned of them.
    private static func isQuiet(_ name: String) -> Bool {
        proxies.contains(name) || name.hasPrefix("BUILDKIT_") || name == "SOURCE_DATE_EPOCH"
    }

    /// Proxies for the processes of a build, except those that an ARG has made ordinary.
    func hidden(declared: Set<String>) -> [String] {
        given.keys.filter { Self.proxies.contains($0) && !declared.contains($0) }.sorted().compactMap { name in
            self[name].map { "\(name)=\($0)" }
        }
    }

    /// What to say of arguments that no ARG asked for.
    func warning(consumed: Set<String>) -> String? {
        let unused = given.keys.filter { !consumed.contains($0) && !Self.isQuiet($0) && platform[$0] == nil }.sorted()
        guard !unused.isEmpty else { return nil }
        return "One or more build-args [\(unused.joined(separator: " "))] were not consumed"
    }
}
