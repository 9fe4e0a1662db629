internal import CLinux
internal import ContainerRuntime
internal import Linux

/// The supervisor of one container: makes it, holds its streams, log and exit status, and outlives the daemon.
///
/// `skiff-shim ID` with the daemon's socket as descriptor 3; the id is only there for whoever reads a process list.
/// One thread, one epoll; nothing here waits for anything but the epoll.
@main
enum SkiffShim {
    static let daemonSocket: Int32 = 3

    static func main() {
        do {
            let seal = try ProgramSeal.apply(arguments: programArguments())
            // Before anything else: whatever the daemon's libraries left open stays out of here and of the container.
            seal.closeOthers(from: daemonSocket + 1)
            try becomeUndumpable()
            try becomeSubreaper()
            // A shim ends when its work is done, not when somebody signals a process group.
            let signals = try SignalFD([SIGCHLD, SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2])
            let loop = try EventLoop()
            let supervisor = Supervisor(loop, seal)
            try supervisor.accept(OwnedDescriptor(owning: daemonSocket))
            let watch = try loop.watch(signals.raw, [.readable]) { _ in
                while let signal = try? signals.next() { if signal == SIGCHLD { supervisor.reap() } }
            }
            try loop.run()
            watch.cancel()
            exitNow(0)
        } catch {
            // Nobody reads the standard streams; the daemon sees the socket close and says so.
            exitNow(1)
        }
    }
}
