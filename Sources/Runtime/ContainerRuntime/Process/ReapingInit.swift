internal import CLinux
internal import Linux

/// The init that `--init` puts before a program: it passes signals on, reaps orphans and ends as the program does.
///
/// It is this process itself, already confined as the program will be, with the program as its only own child: no file has to
/// be put into the container. It stays undumpable, so that nothing inside reads the host's binary through `/proc/1/exe`.
enum ReapingInit {
    /// Forks; returns in the child, which goes on to become the program.
    ///
    /// The parent never returns.
    static func splitOff() throws(SystemError) {
        var all = sigset_t()
        sigfillset(&all)
        var before = sigset_t()
        try check("sigprocmask") { sigprocmask(SIG_SETMASK, &all, &before) }
        // The filter is installed already, and it refuses clone3.
        let program = try splitProcess()
        if program != 0 {
            try? setProcessName("skiff-init")
            try closeDescriptors(from: 0)
            supervise(program, &all)
        }
        try check("sigprocmask") { sigprocmask(SIG_SETMASK, &before, nil) }
        // The program leads the foreground of the terminal, where there is one.
        _ = setpgid(0, 0)
        if isatty(0) == 1 {
            var ignored = sigset_t()
            sigemptyset(&ignored)
            sigaddset(&ignored, SIGTTOU)
            sigprocmask(SIG_BLOCK, &ignored, nil)
            tcsetpgrp(0, getpgrp())
            sigprocmask(SIG_UNBLOCK, &ignored, nil)
        }
    }

    private static func supervise(_ program: pid_t, _ signals: inout sigset_t) -> Never {
        while true {
            var information = siginfo_t()
            let number = sigwaitinfo(&signals, &information)
            if number == SIGCHLD {
                while let ended = try? reapAnyChild() {
                    if ended.pid == program { exitNow(ended.end.code) }
                }
            } else if number > 0, number != SIGTTIN, number != SIGTTOU {
                kill(program, number)
            }
        }
    }
}
