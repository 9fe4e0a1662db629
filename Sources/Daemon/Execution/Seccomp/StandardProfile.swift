internal import Linux

extension SeccompProfile {
    /// Docker's default filter, as facts: which calls a container may make, and which more its capabilities open.
    ///
    /// The calls are names that are split when the profile is compiled, which happens once per capability set and machine.
    /// The source is moby's `profiles/seccomp/default.json`; what a newer libseccomp than the one linked knows only is
    /// answered with `ENOSYS` (see `SeccompProfile.program`).
    static let standard = SeccompProfile(
        // EPERM, unless a rule says otherwise.
        defaultAction: .fail(1),
        architectures: .native,
        rules: always + limited + byArchitecture + byCapability)

    /// What every container may do.
    private static let always: [Rule] = [
        Rule(everyday),
        // Reading another process's memory was safe from inside a sandbox only since Linux 4.8.
        Rule("process_vm_readv process_vm_writev ptrace", minimumKernel: KernelVersion(4, 8)),
    ]

    /// Calls that are fine with some arguments only.
    private static let limited: [Rule] = [
        // Any socket but the kernel's crypto (38, AF_ALG: its page cache tricks) and the hypervisor's (40, AF_VSOCK).
        Rule("socket", when: SyscallCondition(index: 0, comparison: .less, value: 38)),
        Rule("socket", when: SyscallCondition(index: 0, comparison: .equal, value: 39)),
        Rule("socket", when: SyscallCondition(index: 0, comparison: .greater, value: 40)),
        // The personalities a 32-bit or legacy program asks for, and the question.
        Rule("personality", when: SyscallCondition(index: 0, comparison: .equal, value: 0x0)),
        Rule("personality", when: SyscallCondition(index: 0, comparison: .equal, value: 0x8)),
        Rule("personality", when: SyscallCondition(index: 0, comparison: .equal, value: 0x20000)),
        Rule("personality", when: SyscallCondition(index: 0, comparison: .equal, value: 0x20008)),
        Rule("personality", when: SyscallCondition(index: 0, comparison: .equal, value: 0xffff_ffff)),
        // Processes and threads, but no new namespaces (the CLONE_NEW… bits); s390 has the flags second.
        Rule(
            "clone", when: SyscallCondition(index: 0, comparison: .maskedEqual, value: 0x7e02_0000),
            withoutCapability: "CAP_SYS_ADMIN", notOn: ["s390", "s390x"]),
        Rule(
            "clone", when: SyscallCondition(index: 1, comparison: .maskedEqual, value: 0x7e02_0000),
            withoutCapability: "CAP_SYS_ADMIN", on: ["s390", "s390x"]),
        // Its flags are behind a pointer, out of a filter's sight: ENOSYS makes libc fall back to clone.
        Rule("clone3", action: .fail(38), withoutCapability: "CAP_SYS_ADMIN"),
    ]

    /// Calls that only some machines have.
    private static let byArchitecture: [Rule] = [
        Rule("sync_file_range2 swapcontext", on: ["ppc64le"]),
        Rule(
            "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls", on: ["arm", "arm64"]),
        Rule("arch_prctl", on: ["amd64", "x32"]),
        Rule("modify_ldt", on: ["amd64", "x32", "x86"]),
        Rule("s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr", on: ["s390", "s390x"]),
        Rule("riscv_flush_icache", on: ["riscv64"]),
    ]

    /// Calls that a capability opens: what it allows is checked by the kernel again.
    private static let byCapability: [Rule] = [
        Rule("open_by_handle_at", withCapability: "CAP_DAC_READ_SEARCH"),
        Rule(
            """
            bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr
            lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl
            quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare
            """, withCapability: "CAP_SYS_ADMIN"),
        Rule("reboot", withCapability: "CAP_SYS_BOOT"),
        Rule("chroot", withCapability: "CAP_SYS_CHROOT"),
        Rule("delete_module init_module finit_module", withCapability: "CAP_SYS_MODULE"),
        Rule("acct", withCapability: "CAP_SYS_PACCT"),
        Rule(
            """
            kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace
            """, withCapability: "CAP_SYS_PTRACE"),
        Rule("iopl ioperm", withCapability: "CAP_SYS_RAWIO"),
        Rule("settimeofday stime clock_settime clock_settime64", withCapability: "CAP_SYS_TIME"),
        Rule("vhangup", withCapability: "CAP_SYS_TTY_CONFIG"),
        Rule("get_mempolicy mbind set_mempolicy set_mempolicy_home_node", withCapability: "CAP_SYS_NICE"),
        Rule("syslog", withCapability: "CAP_SYSLOG"),
        Rule("bpf", withCapability: "CAP_BPF"),
        Rule("perf_event_open", withCapability: "CAP_PERFMON"),
    ]

    private static let everyday = """
        _llseek _newselect accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod
        chown chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime
        clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat
        dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
        epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64
        fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl
        fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs
        fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake
        futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid
        geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid getppid
        getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname
        getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init
        inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64
        io_setup io_submit ioctl ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset
        landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount listxattr listxattrat
        llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create
        memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr
        mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink
        mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep
        newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free
        pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6
        pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom
        recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2
        restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
        rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo
        sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
        sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr
        sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop
        semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list set_thread_area
        set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer
        setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32
        setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown
        sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs
        statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time
        timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
        timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate
        truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime utimensat utimensat_time64 utimes
        vfork vmsplice wait4 waitid waitpid write writev
        """
}
