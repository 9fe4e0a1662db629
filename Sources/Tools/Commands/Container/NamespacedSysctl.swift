/// The kernel settings that belong to a namespace, so that a container may have its own.
enum NamespacedSysctl {
    private static let names: Set<String> = [
        "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
        "kernel.shmmni", "kernel.shm_rmid_forced",
    ]

    static func contains(_ name: String) -> Bool {
        names.contains(name) || name.hasPrefix("net.") || name.hasPrefix("fs.mqueue.")
    }
}
