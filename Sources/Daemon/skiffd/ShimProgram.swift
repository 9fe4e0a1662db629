internal import Failures
internal import Linux

/// Where the shim program lies: beside this one, unless somebody says otherwise.
enum ShimProgram {
    static func find(_ given: String?) throws(Failure) -> String {
        let path: String
        if let given {
            path = given
        } else {
            guard let own = try? readLink("/proc/self/exe"), let slash = own.lastIndex(of: "/") else {
                throw Failure(.internal, "cannot tell where this program lies: /proc is not mounted")
            }
            path = own[...slash] + "skiff-shim"
        }
        guard path.hasPrefix("/"), exists(path) else {
            throw Failure(.notFound, "there is no shim program at \(path): install skiff-shim beside skiffd")
        }
        return path
    }
}

/// The environment, read from the kernel once.
enum ProcessEnvironment {
    static func read() -> [String: String] {
        guard let bytes = try? readFile("/proc/self/environ", limit: 1 << 20) else { return [:] }
        var environment: [String: String] = [:]
        for entry in bytes.split(separator: 0) {
            let text = String(decoding: entry, as: UTF8.self)
            guard let equals = text.firstIndex(of: "=") else { continue }
            environment[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
        return environment
    }
}
