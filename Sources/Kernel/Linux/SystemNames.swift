internal import CLinux

/// The machine and the kernel's release.
///
/// C function: `uname`.
public func systemNames() throws(SystemError) -> (machine: String, release: String) {
    var names = utsname()
    try check("uname") { uname(&names) }
    func text(_ field: some Any) -> String {
        withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    return (text(names.machine), text(names.release))
}
