internal import CLinux
internal import Linux
internal import OCI

/// The device rules of a v2 group as a program the kernel asks at every open and mknod.
///
/// The rules become one chain of tests, the last rule first, since the last that matches decides. See bpf(2),
/// `BPF_PROG_TYPE_CGROUP_DEVICE`, and `struct bpf_cgroup_dev_ctx` of `linux/bpf.h`.
struct DeviceProgram {
    /// Instructions of 8 bytes: code, registers, 16 bits of offset, 32 bits of constant.
    private(set) var instructions: [UInt64] = []

    /// Registers: 2 type, 3 access, 4 major, 5 minor; 0 is the answer.
    init(_ list: [DeviceAccess]) {
        // ctx->access_type: the kind in the low 16 bits, the access in the high.
        emit(0x61, 2, 1, 0, 0)  // r2 = *(u32 *)(r1 + 0)
        emit(0x54, 2, 0, 0, 0xffff)  // r2 &= 0xffff
        emit(0x61, 3, 1, 0, 0)
        emit(0x74, 3, 0, 0, 16)  // r3 >>= 16
        emit(0x61, 4, 1, 4, 0)
        emit(0x61, 5, 1, 8, 0)
        for rule in list.reversed() {
            if rule.type == "a" {
                answer(rule.allow)
                return
            }
            var block = DeviceProgram()
            block.test(rule)
            instructions += block.instructions
        }
        answer(false)
    }

    private init() {}

    /// One rule: every test that fails jumps behind the rule's answer.
    private mutating func test(_ rule: DeviceAccess) {
        var access: Int32 = 0
        if rule.access.contains("m") { access |= 1 }
        if rule.access.contains("r") { access |= 2 }
        if rule.access.contains("w") { access |= 4 }
        let checksAccess = access != 7
        var length = 1 + (checksAccess ? 3 : 0)
        if rule.major != nil { length += 1 }
        if rule.minor != nil { length += 1 }
        length += 2
        func behind() -> Int16 { Int16(length - instructions.count - 1) }
        emit(0x55, 2, 0, behind(), rule.type == "b" ? 1 : 2)
        if checksAccess {
            emit(0xbc, 1, 3, 0, 0)  // r1 = r3
            emit(0x54, 1, 0, 0, access)  // r1 &= access
            emit(0x5d, 1, 3, behind(), 0)  // if r1 != r3: it asks for more than the rule speaks of
        }
        if let major = rule.major { emit(0x55, 4, 0, behind(), Int32(truncatingIfNeeded: major)) }
        if let minor = rule.minor { emit(0x55, 5, 0, behind(), Int32(truncatingIfNeeded: minor)) }
        answer(rule.allow)
    }

    private mutating func answer(_ allow: Bool) {
        emit(0xb4, 0, 0, 0, allow ? 1 : 0)  // r0 = …
        emit(0x95, 0, 0, 0, 0)  // exit
    }

    private mutating func emit(_ code: UInt8, _ target: UInt8, _ source: UInt8, _ offset: Int16, _ constant: Int32) {
        instructions.append(
            UInt64(code) | UInt64(target | source << 4) << 8 | UInt64(UInt16(bitPattern: offset)) << 16
                | UInt64(UInt32(bitPattern: constant)) << 32)
    }

    /// Loads the program and attaches it to a group.
    ///
    /// C function: `bpf(BPF_PROG_LOAD)`, `bpf(BPF_PROG_ATTACH)`.
    func attach(to group: String) throws(SystemError) {
        let directory = try open(group, O_RDONLY | O_DIRECTORY)
        let program = OwnedDescriptor(
            owning: try check("bpf(BPF_PROG_LOAD)", group) {
                instructions.withUnsafeBufferPointer { skiff_bpf_load_device($0.baseAddress, UInt32($0.count)) }
            })
        try check("bpf(BPF_PROG_ATTACH)", group) { skiff_bpf_attach_device(directory.raw, program.raw) }
    }
}
