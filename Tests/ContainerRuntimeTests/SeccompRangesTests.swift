import Testing

@testable import ContainerRuntime
@testable import OCI

/// What a filter's short form answers, beside the long one: both followed by an interpreter of the machine of bpf(4).
@Suite struct SeccompRangesTests {
    private typealias Instruction = FilterInstruction

    /// A document with conventions, answers and conditions of all kinds.
    private func document() -> RuntimeSpec.Seccomp {
        var seccomp = RuntimeSpec.Seccomp(defaultAction: "SCMP_ACT_ERRNO")
        seccomp.architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
        func rule(
            _ names: [String], _ action: String = "SCMP_ACT_ALLOW", errno: UInt32? = nil,
            _ arguments: [RuntimeSpec.Seccomp.Argument] = []
        ) {
            seccomp.rules.append(.init(names: names, action: action, errno: errno, arguments: arguments))
        }
        rule(Self.neighbours)
        rule(["exit_group", "futex", "openat2", "statx"])
        rule(["ptrace", "kexec_load"], "SCMP_ACT_KILL_PROCESS")
        rule(["clone3"], "SCMP_ACT_ERRNO", errno: 38)
        rule(["mount", "umount2"], "SCMP_ACT_ERRNO", errno: 13)
        rule(["personality"], "SCMP_ACT_ALLOW", [.init(index: 0, value: 8, comparison: "SCMP_CMP_EQ")])
        rule(["personality"], "SCMP_ACT_ALLOW", [.init(index: 0, value: 0x20008, comparison: "SCMP_CMP_EQ")])
        rule(
            ["clone"], "SCMP_ACT_ALLOW",
            [.init(index: 0, value: 0x7e02_0000, second: 0, comparison: "SCMP_CMP_MASKED_EQ")])
        rule(
            ["socket"], "SCMP_ACT_ALLOW",
            [
                .init(index: 0, value: 40, comparison: "SCMP_CMP_NE"),
                .init(index: 1, value: 5, comparison: "SCMP_CMP_LT"),
            ])
        rule(["ioctl"], "SCMP_ACT_LOG", [.init(index: 1, value: 1 << 40, comparison: "SCMP_CMP_GT")])
        return seccomp
    }

    /// Calls that stand side by side in all three conventions, as most do that profiles let through.
    private static let neighbours = """
        read write open close stat fstat lstat poll lseek mmap mprotect munmap brk rt_sigaction
        rt_sigprocmask rt_sigreturn pread64 pwrite64 readv writev access pipe select sched_yield mremap
        msync mincore madvise shmget shmat shmctl dup dup2 pause nanosleep getitimer alarm setitimer getpid
        sendfile connect accept sendto recvfrom sendmsg recvmsg shutdown bind listen getsockname
        getpeername socketpair setsockopt getsockopt fork vfork execve exit wait4 kill uname semget semop
        semctl shmdt msgget msgsnd msgrcv msgctl fcntl flock fsync fdatasync truncate ftruncate getdents
        getcwd chdir fchdir rename mkdir rmdir creat link unlink symlink readlink chmod fchmod chown fchown
        lchown umask gettimeofday getrlimit getrusage sysinfo times getuid syslog getgid setuid setgid
        geteuid getegid setpgid getppid getpgrp setsid setreuid setregid getgroups setgroups setresuid
        getresuid setresgid getresgid getpgid setfsuid setfsgid getsid capget capset
        """.split(whereSeparator: \.isWhitespace).map { String($0) }

    private func long(_ document: RuntimeSpec.Seccomp) throws -> [UInt8] {
        try SeccompFilter(cache: nil).long(document)
    }

    @Test func theShortFormAnswersEveryCallAsTheLongOne() throws {
        let long = try long(document())
        let short = try #require(SeccompRanges(long)?.shortened())
        #expect(short.count * 3 < long.count * 2)
        let (a, b) = (try #require(FilterInstruction.decode(long)), try #require(FilterInstruction.decode(short)))
        var numbers = Set((UInt32(0)...520).flatMap { [$0, $0 | 0x4000_0000] })
        numbers.formUnion([0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x3fff_ffff, 0xc000_0000])
        for instruction in a where instruction.code & 7 == 5 {
            numbers.formUnion([instruction.operand, instruction.operand &+ 1, instruction.operand &- 1])
        }
        let arguments: [[UInt64]] = [
            [0, 0, 0, 0, 0, 0], [8, 1 << 41, 0, 0, 0, 0], [0x20008, 4, 0, 0, 0, 0], [0x1000_0000, 5, 0, 0, 0, 0],
            [40, 0, 0, 0, 0, 0], [.max, .max, .max, .max, .max, .max], [1 << 32 | 8, 1 << 40, 0, 0, 0, 0],
        ]
        for convention in [0xc000_003e, 0x4000_0003, 0xc000_00b7, 0] as [UInt32] {
            for number in numbers {
                for values in arguments {
                    let call = Call(number: number, convention: convention, arguments: values)
                    #expect(answer(b, call) == answer(a, call), "call \(number) of \(String(convention, radix: 16))")
                }
            }
        }
    }

    @Test func neighboursWithOneAnswerAreOneRange() throws {
        let ranges = try #require(SeccompRanges(try long(document()))?.ranges(of: 0xc000_003e))
        // read to mmap are the first ten calls of the convention.
        #expect(ranges[0].first == 0)
        #expect(ranges[1].first > 9)
        #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.outcome != $1.outcome && $0.first < $1.first })
    }

    @Test func aProgramThatCountsWithTheNumberIsLeftAsItIs() {
        // ld [0]; and #1; jeq #0, 0, 1; ret ALLOW; ret KILL
        let program: [UInt8] = [
            0x20, 0, 0, 0, 0, 0, 0, 0, 0x54, 0, 0, 0, 1, 0, 0, 0, 0x15, 0, 0, 1, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0xff,
            0x7f, 6,
            0, 0, 0, 0, 0, 0, 0,
        ]
        #expect(SeccompRanges(program) == nil)
    }

    @Test(
        arguments: [[UInt8]](
            arrayLiteral: [], [1, 2, 3], [0x20, 0, 0, 0, 0, 0, 0, 0], [5, 0, 0, 0, 255, 255, 255, 255]))
    func brokenProgramsAreLeftAsTheyAre(program: [UInt8]) {
        #expect(SeccompRanges(program)?.shortened() == nil)
    }

    // MARK: The machine

    private struct Call {
        var number: UInt32
        var convention: UInt32
        var arguments: [UInt64]

        /// A word of `struct seccomp_data`.
        func word(_ offset: UInt32) -> UInt32 {
            switch offset {
            case 0: return number
            case 4: return convention
            case 8, 12: return 0
            default:
                let value = arguments[Int(offset - 16) / 8]
                return UInt32(truncatingIfNeeded: offset % 8 == 0 ? value : value >> 32)
            }
        }
    }

    private func answer(_ program: [Instruction], _ call: Call) -> UInt32? {
        var (accumulator, position) = (UInt32(0), 0)
        while position < program.count {
            let instruction = program[position]
            let operand = instruction.operand
            func jump(_ condition: Bool) { position += Int(condition ? instruction.whenTrue : instruction.whenFalse) }
            switch instruction.code {
            case 0x20: accumulator = call.word(operand)
            case 0x54: accumulator &= operand
            case 0x05: position += Int(operand)
            case 0x15: jump(accumulator == operand)
            case 0x25: jump(accumulator > operand)
            case 0x35: jump(accumulator >= operand)
            case 0x45: jump(accumulator & operand != 0)
            case 0x06: return operand
            default: return nil
            }
            position += 1
        }
        return nil
    }
}
