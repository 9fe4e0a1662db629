internal import CLinux
internal import Linux

/// The whole program: what was typed in, an exit code out.
///
/// - Returns: the exit code; Docker's where a container is involved: its own, 125, 126, 127.
public func runSkiff() -> Int32 {
    ignoreBrokenPipes()
    var variables: [String: String] = [:]
    var entry = skiff_environ()
    while let text = entry?.pointee {
        let (name, value) = keyValue(String(cString: text))
        variables[name] = value
        entry = entry?.advanced(by: 1)
    }
    let dispatcher = Dispatcher(console: .standard(), environment: Environment(variables))
    return dispatcher.run(Array(CommandLine.arguments.dropFirst())).rawValue
}
