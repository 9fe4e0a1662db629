internal import CLinux
internal import DockerfileSyntax
internal import Linux

/// Owners as `--chown` writes them, `user[:group]`, found in the image's own `/etc/passwd` and `/etc/group`, which are read
/// and parsed here: no name service of the host or the image is asked.
struct UserNames {
    struct Owner: Hashable, Sendable {
        var user: UInt32
        var group: UInt32
    }

    /// The files' text; empty where the image has none.
    let passwd: String
    let groups: String

    init(passwd: String, groups: String) {
        self.passwd = passwd
        self.groups = groups
    }

    /// - Parameter root: the image's root, or -1 for an image of nothing.
    init(root: Int32) {
        passwd = Self.text("etc/passwd", in: root)
        groups = Self.text("etc/group", in: root)
    }

    private static func text(_ path: String, in root: Int32) -> String {
        guard root >= 0, let file = try? openRegularFile(in: root, path),
            let bytes = try? readAll(file.raw, limit: 4 << 20)
        else { return "" }
        return bytes.text
    }

    /// The numbers behind the text.
    ///
    /// A number is never looked up as a name; a group that is not named is the user's number,
    /// or that of the user's entry where it was found by name.
    func owner(_ text: String) throws(SyntaxProblem) -> Owner {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let name = parts.first ?? ""
        var owner = Owner(user: 0, group: 0)
        if let number = Self.number(name) {
            owner = Owner(user: number, group: number)
        } else if let fields = Self.entry(name, in: passwd), fields.count > 3, let user = Self.number(fields[2]),
            let group = Self.number(fields[3])
        {
            owner = Owner(user: user, group: group)
        } else if !name.isEmpty {
            throw SyntaxProblem("can't find uid for user \(name): no such user: \(name)")
        }
        guard parts.count == 2, !parts[1].isEmpty else { return owner }
        if let number = Self.number(parts[1]) {
            owner.group = number
        } else if let fields = Self.entry(parts[1], in: groups), fields.count > 2, let group = Self.number(fields[2]) {
            owner.group = group
        } else {
            throw SyntaxProblem("can't find gid for group \(parts[1]): no such group: \(parts[1])")
        }
        return owner
    }

    private static func number(_ text: some StringProtocol) -> UInt32? {
        guard !text.isEmpty, text.utf8.allSatisfy(ASCII.isDigit), let number = UInt32(text), number < UInt32.max else {
            return nil
        }
        return number
    }

    private static func entry(_ name: String, in text: String) -> [Substring]? {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            if fields.first.map({ $0 == name }) == true { return fields }
        }
        return nil
    }
}
