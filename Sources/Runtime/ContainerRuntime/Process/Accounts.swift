internal import Linux

/// The container's own `/etc/passwd` and `/etc/group`, and what a `user[:group]` means by them.
///
/// Pure text in, numbers out; reading the files safely is the caller's part. The rules are Docker's: a number is always a
/// number, never a name that looks like one (CVE-2016-3697), and numbers out of range are an error, not a wrap
/// (CVE-2024-40635).
public struct Accounts: Sendable {
    public struct User: Sendable, Equatable {
        public var name: String
        public var uid: UInt32
        public var gid: UInt32
        public var home: String
    }

    public struct Group: Sendable, Equatable {
        public var name: String
        public var gid: UInt32
        public var members: [String]
    }

    public var users: [User]
    public var groups: [Group]

    /// Lines that are not accounts are passed over, as the C library does.
    public init(passwd: String, group: String) {
        users = Self.lines(passwd, fields: 6).compactMap { fields in
            guard let uid = Self.number(fields[2]), let gid = Self.number(fields[3]) else { return nil }
            return User(name: String(fields[0]), uid: uid, gid: gid, home: String(fields[5]))
        }
        groups = Self.lines(group, fields: 3).compactMap { fields in
            guard let gid = Self.number(fields[2]) else { return nil }
            let members = fields.count > 3 ? fields[3].split(separator: ",").map(String.init) : []
            return Group(name: String(fields[0]), gid: gid, members: members)
        }
    }

    /// The first account with a number, for whom nothing else of the file is worth reading.
    public static func account(of uid: UInt32, in passwd: String) -> User? {
        // Leading zeros are allowed.
        let digits = uid == 0 ? [] : Array("\(uid)".utf8), zero = UInt8(ascii: "0")
        let bytes = Array(passwd.utf8)
        var lines = Fields(bytes, separatedBy: UInt8(ascii: "\n"))
        while let line = lines.next() {
            var fields = Fields(bytes, in: line, separatedBy: UInt8(ascii: ":"))
            guard let name = fields.text(), !name.hasPrefix("#"), fields.next() != nil, let number = fields.next(),
                bytes[number].drop(while: { $0 == zero }).elementsEqual(digits), !number.isEmpty,
                let gid = fields.text().flatMap({ Self.number($0[...]) }), fields.next() != nil,
                let home = fields.text()
            else { continue }
            return User(name: name, uid: uid, gid: gid, home: home)
        }
        return nil
    }

    /// Who a process becomes.
    public struct Identity: Sendable, Equatable {
        public var uid: UInt32
        public var gid: UInt32
        public var groups: [UInt32]
        /// The account's home directory, `/` where there is no account.
        public var home: String
    }

    /// What went wrong, in Docker's words.
    public struct Unknown: Error, Equatable, CustomStringConvertible {
        public let description: String
    }

    /// - Parameters:
    ///   - text: `name`, `uid`, `name:group`, `uid:gid`; empty is root.
    ///   - additional: names or numbers of further groups.
    public func identity(of text: String, additional: [String] = []) throws(Unknown) -> Identity {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let userText = parts[0], groupText = parts.count > 1 ? parts[1] : ""
        var identity = Identity(uid: 0, gid: 0, groups: [], home: "/")
        var account: User?
        if userText.isEmpty {
            account = users.first { $0.uid == 0 }
        } else if Self.isNumeric(userText) {
            identity.uid = try Self.id(userText, of: "user")
            account = users.first { $0.uid == identity.uid }
        } else {
            account = users.first { $0.name == userText }
            guard account != nil else {
                throw Unknown(description: "unable to find user \(userText): no matching entries in passwd file")
            }
        }
        if let account {
            identity.uid = account.uid
            identity.gid = account.gid
            identity.home = account.home.isEmpty ? "/" : account.home
        }
        if groupText.isEmpty {
            // The account's own groups count only where no group was named.
            if let account { identity.groups = groups.filter { $0.members.contains(account.name) }.map(\.gid) }
        } else {
            identity.gid = try gid(groupText)
        }
        for group in additional where !group.isEmpty {
            let number = try gid(group)
            if !identity.groups.contains(number) { identity.groups.append(number) }
        }
        return identity
    }

    private func gid(_ text: String) throws(Unknown) -> UInt32 {
        if Self.isNumeric(text) { return try Self.id(text, of: "group") }
        guard let group = groups.first(where: { $0.name == text }) else {
            throw Unknown(description: "unable to find group \(text): no matching entries in group file")
        }
        return group.gid
    }

    private static func isNumeric(_ text: String) -> Bool {
        let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
        return !digits.isEmpty && digits.utf8.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    }

    private static func id(_ text: String, of kind: String) throws(Unknown) -> UInt32 {
        guard let number = UInt32(text), number <= UInt32(Int32.max) else {
            throw Unknown(description: "\(kind) id \(text) is out of range: 0 to 2147483647 is allowed")
        }
        return number
    }

    private static func lines(_ text: String, fields: Int) -> [[Substring]] {
        text.split(separator: "\n").compactMap { line in
            guard !line.hasPrefix("#") else { return nil }
            let parts = line.split(separator: ":", omittingEmptySubsequences: false)
            return parts.count >= fields ? parts : nil
        }
    }

    /// 4294967295 is no id: the kernel's calls mean "as it is" by it.
    private static func number(_ text: Substring) -> UInt32? { UInt32(text).flatMap { $0 == .max ? nil : $0 } }
}
