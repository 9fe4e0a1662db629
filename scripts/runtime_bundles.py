"""Bundles with what engines ask of a runtime, made by `skiff-runtime spec`: for the scripts that time it and look into it."""
import copy, json, os, shutil, subprocess, sys

CALLS = ["read", "write", "open", "openat", "close", "execve", "exit", "exit_group", "mmap", "mprotect", "munmap", "brk",
         "arch_prctl", "set_tid_address", "rt_sigaction", "rt_sigprocmask", "nanosleep", "clock_nanosleep", "fstat",
         "newfstatat", "ioctl", "getuid", "wait4", "prlimit64", "getrandom", "set_robust_list", "rseq", "readlink"]

DEVICES = [{"allow": False, "access": "rwm"}] + [
    {"allow": allow, "type": "c", "major": major, "minor": minor, "access": "rwm"}
    for allow, major, minor in [(True, 1, 5), (True, 1, 3), (True, 1, 9), (True, 1, 8), (True, 5, 0), (True, 5, 1), (False, 10, 229)]]


def documents(plain, command):
    """What engines ask for, and the same in a user namespace."""
    # Older runtimes refuse what they have not heard of.
    plain["ociVersion"] = "1.0.2"
    linux = plain["linux"]
    plain["process"].update(args=command, terminal=False)
    plain["process"].update(oomScoreAdj=0)
    plain["process"].pop("rlimits", None)
    plain["process"].pop("noNewPrivileges", None)
    plain["hostname"] = "bundle"
    plain["mounts"].append({"destination": "/etc/hosts", "type": "bind", "source": "/etc/hosts", "options": ["rbind", "ro"]})
    linux["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 65535"}
    linux["resources"] = {"devices": DEVICES, "memory": {"disableOOMKiller": False}, "blockIO": {}}
    linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [{"names": CALLS, "action": "SCMP_ACT_ALLOW"},
                     {"names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
                      "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_NE"}]}]}
    user = copy.deepcopy(plain)
    user["linux"]["namespaces"].append({"type": "user"})
    for ids in ("uidMappings", "gidMappings"):
        user["linux"][ids] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    return {"plain": plain, "user": user}


def make(place, program, command):
    """Makes PLACE/plain and PLACE/user with busybox in them."""
    busybox = shutil.which("busybox") or sys.exit("install busybox-static")
    os.chmod(place, 0o755)
    subprocess.run([program, "spec", "--bundle", place], check=True)
    with open(place + "/config.json") as file:
        made = documents(json.load(file), command)
    for name, document in made.items():
        for directory in ("bin", "dev", "proc", "sys", "tmp", "etc"):
            os.makedirs(f"{place}/{name}/rootfs/{directory}")
        open(f"{place}/{name}/rootfs/etc/hosts", "w").close()
        shutil.copy(busybox, f"{place}/{name}/rootfs/bin/busybox")
        for link in ("sleep", "true"):
            os.symlink("busybox", f"{place}/{name}/rootfs/bin/{link}")
        with open(f"{place}/{name}/config.json", "w") as out:
            json.dump(document, out)
