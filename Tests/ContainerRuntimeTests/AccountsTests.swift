import Testing

@testable import ContainerRuntime

struct AccountsTests {
    private let accounts = Accounts(
        passwd: """
            root:x:0:0:root:/root:/bin/sh
            www:x:33:33:www:/var/www:/bin/false
            # a comment
            1000:x:0:0:a name that is a number:/root:/bin/sh
            short:x:7
            """,
        group: """
            root:x:0:
            www:x:33:
            extra:x:44:www,other
            secret:x:55:root
            """)

    @Test(arguments: [
        ("", 0, 0, [55], "/root"), ("root", 0, 0, [55], "/root"), ("www", 33, 33, [44], "/var/www"),
        ("33", 33, 33, [44], "/var/www"), ("www:extra", 33, 44, [], "/var/www"), ("www:7", 33, 7, [], "/var/www"),
        ("5:6", 5, 6, [], "/"), ("1000", 1000, 0, [], "/"),
    ])
    func usersAreFoundAsDockerFindsThem(
        text: String, uid: Int, gid: Int, groups: [Int], home: String
    ) throws {
        let identity = try accounts.identity(of: text)
        #expect(identity.uid == UInt32(uid))
        #expect(identity.gid == UInt32(gid))
        #expect(identity.groups == groups.map(UInt32.init))
        #expect(identity.home == home)
    }

    @Test(arguments: [
        "nobody-here", "www:nogroup", "4294967296", "2147483648", "-1", "0x0", "1000 ", " root", "0:4294967296",
    ])
    func whatIsNoUserIsRefused(text: String) {
        #expect(throws: Accounts.Unknown.self) { try accounts.identity(of: text) }
    }

    @Test func furtherGroupsAreAddedOnce() throws {
        #expect(try accounts.identity(of: "www", additional: ["secret", "44", "9"]).groups == [44, 55, 9])
    }

    @Test(
        arguments: [
            (0, "root"), (33, "www"), (7, "padded"), (5, nil), (65534, "last"), (3, nil),
        ] as [(UInt32, String?)])
    func anAccountIsFoundByItsNumberAlone(uid: UInt32, name: String?) {
        let passwd = """
            # root:x:0:0:no:/no:/no
            odd:x::0:no number:/no:/no
            root:x:0:0:root:/root:/bin/sh
            second:x:0:0:root:/elsewhere:/bin/sh
            short:x:3
            www:x:33:33:www:/var/www:/bin/false
            padded:x:007:7:zeros:/padded:/bin/sh
            five:x:5five:5:five:/five:/bin/sh
            last:x:65534:65534::/nonexistent:/bin/false
            """
        let found = Accounts.account(of: uid, in: passwd)
        #expect(found?.name == name)
        #expect(found == Accounts(passwd: passwd, group: "").users.first { $0.uid == uid })
    }
}
