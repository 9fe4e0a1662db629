import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Who an ordinary user is in containers of its own.
@Suite(.serialized, .enabled(if: Bundle.canRun, "becoming a user needs root"))
struct RootlessIdentityTests {
    private let bundle: UserBundle

    init() throws { bundle = try UserBundle() }

    private static let identity =
        "cat /proc/self/uid_map /proc/self/setgroups; grep -E '^(Groups|CapEff)' /proc/self/status"

    @Test func aUserIsRootOfItsContainer() throws {
        defer { bundle.remove() }
        let result = try bundle.run(
            "id -u; \(Self.identity); touch /tmp/made; echo gone > /dev/null; stat -c %t:%T /dev/null")
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.lines.first == "0")
        #expect(result.lines.contains { $0.split(separator: " ") == ["0", "60010", "1"] })
        #expect(result.lines.contains("deny"), "who maps only itself may not drop groups")
        #expect(result.lines.contains("1:3"))
        #expect(try status(bundle.path + "/rootfs/tmp/made").st_uid == UserBundle.user)
        #expect(bundle.leftNothing)
    }

    @Test(.enabled(if: UserBundle.hasHelpers, "needs newuidmap and newgidmap (Debian: uidmap)"))
    func rangesAreMappedByThoseWhoMay() throws {
        defer { bundle.remove() }
        let root = try bundle.run("id -u; \(Self.identity)") { $0.mapRange() }
        #expect(root.code == 0, "\(root.errors)")
        #expect(root.lines.contains { $0.split(separator: " ") == ["1", "3000000", "65535"] })
        #expect(root.lines.contains { $0.split(whereSeparator: \.isWhitespace) == ["Groups:"] }, "\(root.output)")
        let other = try bundle.run("id -u; id -g; \(Self.identity)") {
            $0.mapRange()
            $0.process?.user = .numbers(1000, 1001, groups: [5, 6])
        }
        #expect(other.lines.prefix(2) == ["1000", "1001"], "\(other.errors)")
        #expect(other.lines.contains { $0.split(whereSeparator: \.isWhitespace) == ["Groups:", "5", "6"] })
    }

    @Test(
        .enabled(if: UserBundle.hasHelpers, "needs newuidmap and newgidmap (Debian: uidmap)"),
        arguments: [UInt32(0), 1000, 3_065_536])
    func idsThatAreNotTheUsersAreRefused(host: UInt32) throws {
        defer { bundle.remove() }
        let users = try bundle.run("echo ran") { $0.linux.uidMappings = [.init(container: 0, host: host, size: 1)] }
        #expect(users.code != 0 && users.output.isEmpty)
        #expect(users.errors.contains("newuidmap 0 \(host) 1 refused; see /etc/subuid"), "\(users.errors)")
        let groups = try bundle.run("echo ran") {
            $0.linux.gidMappings.append(.init(container: 1, host: host, size: 1))
        }
        #expect(groups.code != 0 && groups.output.isEmpty)
        #expect(groups.errors.contains("newgidmap"), "\(groups.errors)")
        #expect(bundle.leftNothing)
    }

    @Test func aNamespaceWithoutARootIsSetUpByItsUser() throws {
        defer { bundle.remove() }
        let result = try bundle.run("id -u; id -g; stat -c %u:%g /dev; touch /tmp/made") {
            $0.linux.uidMappings = [.init(container: 1000, host: UserBundle.user, size: 1)]
            $0.linux.gidMappings = [.init(container: 1001, host: UserBundle.user, size: 1)]
            $0.process?.user = .numbers(1000, 1001)
        }
        #expect(result.lines == ["1000", "1001", "1000:1001"], "\(result.errors)")
    }

    @Test func groupsThatCannotBeChangedAreNotAskedFor() throws {
        defer { bundle.remove() }
        let result = try bundle.run("echo ran") { $0.process?.user.additionalGids = [5] }
        #expect(result.errors.contains("additional groups, which this user namespace does not allow"))
        #expect(result.output.isEmpty && bundle.leftNothing)
    }

    @Test func withoutAUserNamespaceThereIsAnError() throws {
        defer { bundle.remove() }
        let result = try bundle.run("echo ran") {
            $0.linux.namespaces.removeAll { $0.kind == .user }
            ($0.linux.uidMappings, $0.linux.gidMappings) = ([], [])
        }
        #expect(result.errors.contains("only root may do without a user namespace"), "\(result.errors)")
        #expect(bundle.leftNothing)
    }
}
