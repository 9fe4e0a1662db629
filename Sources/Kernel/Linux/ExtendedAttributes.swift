internal import CLinux

/// The names of a file's extended attributes.
///
/// C function: `flistxattr`.
///
/// - Returns: none where the file system has none.
public func attributeNames(_ descriptor: Int32) throws(SystemError) -> [String] {
    try names("flistxattr") { flistxattr(descriptor, $0, $1) }
}

/// The names of extended attributes by a path of ours, links not followed.
///
/// C function: `llistxattr`.
public func attributeNames(path: String) throws(SystemError) -> [String] {
    try names("llistxattr") { llistxattr(path, $0, $1) }
}

/// The value of an extended attribute; `nil` when it is not set.
///
/// C function: `fgetxattr`.
public func attribute(_ name: String, of descriptor: Int32) throws(SystemError) -> [UInt8]? {
    try value("fgetxattr", name) { fgetxattr(descriptor, name, $0, $1) }
}

/// The value of an extended attribute by a path of ours, links not followed; `nil` when it is not set.
///
/// C function: `lgetxattr`.
public func attribute(_ name: String, path: String) throws(SystemError) -> [UInt8]? {
    try value("lgetxattr", name) { lgetxattr(path, name, $0, $1) }
}

/// C function: `fsetxattr`.
public func setAttribute(_ name: String, _ value: [UInt8], of descriptor: Int32) throws(SystemError) {
    try check("fsetxattr", name) { fsetxattr(descriptor, name, value, value.count, 0) }
}

/// Sets an attribute of a link itself, by a path of ours.
///
/// C function: `lsetxattr`.
public func setAttribute(_ name: String, _ value: [UInt8], path: String) throws(SystemError) {
    try check("lsetxattr", name) { lsetxattr(path, name, value, value.count, 0) }
}

private func names(
    _ call: StaticString, _ list: (UnsafeMutablePointer<CChar>?, Int) -> Int
) throws(SystemError) -> [String] {
    while true {
        let size = list(nil, 0)
        if size == 0 { return [] }
        if size < 0 {
            let number = skiff_errno()
            if number == EOPNOTSUPP { return [] }
            throw SystemError(call, errno: number)
        }
        var buffer = [CChar](repeating: 0, count: size)
        let count = list(&buffer, size)
        if count < 0 {
            let number = skiff_errno()
            // Another attribute appeared between the two calls.
            if number == ERANGE { continue }
            throw SystemError(call, errno: number)
        }
        return buffer[..<count].split(separator: 0).map {
            String(decoding: $0.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}

private func value(
    _ call: StaticString, _ name: String, _ get: (UnsafeMutableRawPointer?, Int) -> Int
) throws(SystemError) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 256)
    while true {
        let count = get(&buffer, buffer.count)
        if count >= 0 { return Array(buffer[..<count]) }
        let number = skiff_errno()
        switch number {
        case ENODATA, EOPNOTSUPP: return nil
        case ERANGE where buffer.count < 65536: buffer = [UInt8](repeating: 0, count: 65536)
        default: throw SystemError(call, errno: number, subject: name)
        }
    }
}
