internal import CLinux
internal import ContainerRuntime
internal import Linux

extension RuntimeContext {
    /// Who started this program as a service, nil where nobody did.
    var serviceManager: ServiceManager? {
        guard let variable = environmentValue("NOTIFY_SOCKET"), !variable.isEmpty else { return nil }
        if let manager = ServiceManager(variable) { return manager }
        log.note("NOTIFY_SOCKET names no local socket, so nobody is told that the container is ready: \(variable)")
        return nil
    }

    /// Where a container that was made under a service manager says that it is ready; nil for any other.
    func readiness(of id: String) throws(RuntimeFailure) -> ContainerReadiness? {
        guard serviceManager != nil else { return nil }
        return try ContainerReadiness(in: states.notifications(id))
    }

    /// Waits until a container that was started has said that it is ready and its manager was told so, or until it has
    /// ended.
    func passOn(_ readiness: ContainerReadiness, of state: ContainerState) throws(SystemError) {
        var readiness = readiness
        var hasEnded = false
        if let process = try? PidFD(state.pid), processStartTime(state.pid) == state.startTime {
            let end = process.raw
            while !hasEnded {
                let events = try poll([(readiness.raw, Int16(POLLIN)), (end, Int16(POLLIN))])
                if events[0] != 0, readiness.readMessages() { return tellReady(mainProcess: state.pid) }
                hasEnded = events[1] != 0
            }
        }
        // Its last word may be that it was ready.
        if readiness.readMessages() { tellReady(mainProcess: state.pid) }
    }

    /// A manager that cannot be told is no reason to end a container that runs.
    func tellReady(mainProcess: pid_t?) {
        do throws(RuntimeFailure) { try serviceManager?.tellReady(mainProcess: mainProcess) } catch {
            log.warning("the service manager was not told that the container is ready: \(error)")
        }
    }
}
