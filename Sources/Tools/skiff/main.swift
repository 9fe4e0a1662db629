internal import Commands

#if canImport(Glibc)
    internal import Glibc
#endif

// `exit` and not a return: a thread may still be reading standard input.
exit(runSkiff())
