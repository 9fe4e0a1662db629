import Linux
import Testing

/// What the daemon says to settings of the cgroup driver, before it touches anything.
@Suite struct CgroupDriverOptionTests {
    private func validate(_ flags: [String], file: String? = nil) async throws -> Finished {
        var arguments = ["--validate"] + flags
        let path = "/tmp/skiff-options.\(UInt32.random(in: 0...UInt32.max)).json"
        try writeFile(path, Array((file ?? "{}").utf8))
        defer { try? unlink(path) }
        arguments += ["--config-file", path]
        return try await Program.run(Program.builds + "/skiffd", arguments)
    }

    private static let slice = "cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\""

    @Test(arguments: [
        (["native.cgroupdriver=none"], "native.cgroupdriver option none not supported: use systemd or cgroupfs"),
        (["native.cgroupdriver=Systemd"], "native.cgroupdriver option Systemd not supported"),
        (["native.cgroupdriver"], "exec-opts must be name=value, not \"native.cgroupdriver\""),
        (["isolation=process"], "exec-opts: isolation is not known"),
        (["native.cgroupdriver=cgroupfs", "native.cgroupdriver=systemd"], "both systemd and cgroupfs"),
    ])
    func whatIsNoDriverIsRefused(_ options: [String], _ words: String) async throws {
        let flags = options.flatMap { ["--exec-opt", $0] }
        let file = "{\"exec-opts\": [\(options.map { "\"\($0)\"" }.joined(separator: ", "))]}"
        for refused in [try await validate(flags), try await validate([], file: file)] {
            #expect(refused.code == 1)
            #expect(refused.errors.hasPrefix("skiffd: ") && refused.errors.contains(words), "\(refused.errors)")
            #expect(refused.lines.isEmpty && refused.errors.split(separator: "\n").count == 1)
        }
    }

    @Test func theDriverOfTheFilesIsTakenAnywhere() async throws {
        for flags in [
            ["--exec-opt", "native.cgroupdriver=cgroupfs"], ["--exec-opt", "Native.CgroupDriver=cgroupfs"],
            ["--exec-opt", "native.cgroupdriver=", "--exec-opt", "native.cgroupdriver=cgroupfs"],
        ] {
            #expect(try await validate(flags).output == "configuration OK\n")
        }
        #expect(try await validate([], file: #"{"exec-opts": ["native.cgroupdriver=cgroupfs"]}"#).code == 0)
        let both = try await validate(
            ["--exec-opt", "native.cgroupdriver=cgroupfs"], file: #"{"exec-opts": ["native.cgroupdriver=cgroupfs"]}"#)
        #expect(both.errors.contains("exec-opts: (from flag: [native.cgroupdriver=cgroupfs], from file:"))
    }

    @Test(arguments: ["/skiff", "skiff", ".slice", "a/b.slice"])
    func aParentThatIsNoSliceIsRefusedWithSystemd(_ parent: String) async throws {
        let refused = try await validate(["--exec-opt", "native.cgroupdriver=systemd", "--cgroup-parent", parent])
        #expect(refused.code == 1 && refused.errors == "skiffd: \(Self.slice)\n")
    }

    @Test(.enabled(if: !exists("/run/systemd/system"), "systemd is this host's init"))
    func systemdIsRefusedWhereItIsNotTheInit() async throws {
        let refused = try await validate(["--exec-opt", "native.cgroupdriver=systemd"])
        #expect(refused.code == 1)
        #expect(refused.errors.contains("systemd is not the init of this host"), "\(refused.errors)")
        #expect(refused.errors.contains("use native.cgroupdriver=cgroupfs"))
    }
}
