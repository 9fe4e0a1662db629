public import JSON
internal import Linux
internal import OCI

/// What this runtime can do, as `features` tells engines.
///
/// See the runtime specification, features.md and features-linux.md. The lists are the tables that documents are read by.
public enum RuntimeFeatures {
    public static var document: JSON {
        .object([
            "ociVersionMin": "1.0.0", "ociVersionMax": .string(RuntimeSpec.currentVersion),
            "hooks": JSON(RuntimeSpec.Hooks.points), "mountOptions": JSON(PlannedMount.knownOptions),
            "linux": .object([
                "namespaces": JSON(RuntimeSpec.Namespace.Kind.allCases.map(\.rawValue).sorted()),
                "capabilities": JSON(CapabilitySet.names),
                "cgroup": .object([
                    "v1": true, "v2": true, "systemd": true, "systemdUser": true, "rdma": true,
                ]),
                "seccomp": SeccompFilter.features, "apparmor": .object(["enabled": true]),
                "selinux": .object(["enabled": true]), "intelRdt": .object(["enabled": true]),
                "mountExtensions": .object(["idmap": .object(["enabled": true])]),
                "netDevices": .object(["enabled": true]),
                "memoryPolicy": .object([
                    "modes": JSON(PlannedAttributes.memoryModes.keys.sorted()),
                    "flags": JSON(PlannedAttributes.memoryFlags.keys.sorted()),
                ]),
            ]),
            "annotations": .object([
                // The name that engines ask runc by.
                "org.opencontainers.runc.checkpoint.enabled": "true",
                "org.skiff.libseccomp.version": .string(SeccompCompiler.libraryVersion),
            ]),
            "potentiallyUnsafeConfigAnnotations": .array([.string(keepsGroups)]),
        ])
    }

    /// crun's annotation by which a process keeps its maker's supplementary groups, whatever the document's user says:
    /// `podman run --group-add keep-groups` sets it.
    static let keepsGroups = "run.oci.keep_original_groups"

    /// What crun's `--version` calls what this build can do, for those who look there.
    ///
    /// Its `SYSTEMD` means the cgroup driver and a notify socket for the container.
    public static let words = ["SYSTEMD", "SELINUX", "APPARMOR", "CAP", "SECCOMP", "EBPF"]
}
