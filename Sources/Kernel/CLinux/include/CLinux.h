// The Linux and libc interfaces that Swift's Glibc module does not show, and the few wrappers glibc lacks.
// One-liners only: nothing here decides anything.
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

// _GNU_SOURCE changes the shape of some types: members' names in fd_set, in utsname and in a compiled regular expression,
// and the enumerations behind getrusage and setrlimit. Swift's own Glibc module has the plain ones, and a program that
// imports both must see one type.
#include <features.h>
#pragma push_macro("__USE_XOPEN")
#undef __USE_XOPEN
#include <sys/select.h>
#pragma pop_macro("__USE_XOPEN")
#pragma push_macro("__USE_GNU")
#undef __USE_GNU
#include <sys/resource.h>
#include <sys/utsname.h>
// regex.h makes up its own mind by _GNU_SOURCE.
#pragma push_macro("_GNU_SOURCE")
#undef _GNU_SOURCE
#include <regex.h>
#pragma pop_macro("_GNU_SOURCE")
#pragma pop_macro("__USE_GNU")

#include <arpa/inet.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <linux/mempolicy.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <linux/veth.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <seccomp.h>

// System calls without a glibc wrapper, or whose wrapper is variadic. Each returns -1 and sets errno on failure.

// Without glibc's fork handlers, for a process that was itself made by a raw clone.
static inline pid_t skiff_fork(void) { return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }

// The child is the caller's sibling; its pidfd goes where the parent's word of its number would.
static inline pid_t skiff_fork_sibling(int *pidfd) {
  return (pid_t)syscall(SYS_clone, CLONE_PARENT | CLONE_PIDFD, 0, pidfd, 0, 0);
}

// The same; its number is where the pointer says before the child runs.
static inline pid_t skiff_fork_sibling_telling(pid_t *number) {
  return (pid_t)syscall(SYS_clone, CLONE_PARENT | CLONE_PARENT_SETTID, 0, number, 0, 0);
}

static inline long skiff_clone3(struct clone_args *args, size_t size) { return syscall(SYS_clone3, args, size); }

static inline int skiff_openat2(int directory, const char *path, const struct open_how *how) {
  return (int)syscall(SYS_openat2, directory, path, how, sizeof(struct open_how));
}

// Linux 6.6, the same number on every architecture; older headers do not have it.
static inline int skiff_fchmodat2(int directory, const char *path, mode_t mode, int flags) {
  return (int)syscall(452, directory, path, mode, flags);
}

static inline int skiff_pivot_root(const char *new_root, const char *put_old) {
  return (int)syscall(SYS_pivot_root, new_root, put_old);
}

static inline int skiff_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
  return prctl(option, a, b, c, d);
}

static inline int skiff_capset(struct __user_cap_header_struct *header, const struct __user_cap_data_struct *data) {
  return (int)syscall(SYS_capset, header, data);
}

static inline int skiff_capget(struct __user_cap_header_struct *header, struct __user_cap_data_struct *data) {
  return (int)syscall(SYS_capget, header, data);
}

static inline long skiff_keyctl(int operation, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
  return syscall(SYS_keyctl, operation, a, b, c, d);
}

static inline int skiff_seccomp(unsigned int operation, unsigned int flags, void *args) {
  return (int)syscall(SYS_seccomp, operation, flags, args);
}

static inline int skiff_pidfd_open(pid_t pid, unsigned int flags) { return (int)syscall(SYS_pidfd_open, pid, flags); }

static inline int skiff_pidfd_send_signal(int pidfd, int signal, siginfo_t *info, unsigned int flags) {
  return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, info, flags);
}

static inline int skiff_ioctl(int descriptor, unsigned long request, void *argument) {
  return ioctl(descriptor, request, argument);
}

static inline int skiff_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }
static inline int skiff_openat(int directory, const char *path, int flags, mode_t mode) {
  return openat(directory, path, flags, mode);
}
static inline int skiff_fcntl(int descriptor, int command, long argument) { return fcntl(descriptor, command, argument); }

static inline long skiff_getdents64(int directory, void *buffer, size_t size) {
  return syscall(SYS_getdents64, directory, buffer, size);
}

static inline int skiff_fsconfig(int fs, unsigned int command, const char *key, const void *value, int aux) {
  return fsconfig(fs, command, key, value, aux);
}

static inline long skiff_ioprio_set(int which, int who, int value) { return syscall(SYS_ioprio_set, which, who, value); }

static inline dev_t skiff_makedev(unsigned int major, unsigned int minor) { return makedev(major, minor); }
static inline unsigned int skiff_major(dev_t device) { return major(device); }
static inline unsigned int skiff_minor(dev_t device) { return minor(device); }

static inline int skiff_errno(void) { return errno; }

// The two functions of libm that anything here needs; a builtin spares the header.
static inline double skiff_log2(double value) { return __builtin_log2(value); }
static inline double skiff_pow10(double exponent) { return __builtin_pow(10, exponent); }

// The device program of a cgroup; union bpf_attr is too wide for Swift to build.

static inline int skiff_bpf_load_device(const uint64_t *instructions, uint32_t count) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attributes.insns = (uint64_t)(uintptr_t)instructions;
  attributes.insn_cnt = count;
  attributes.license = (uint64_t)(uintptr_t) "Apache-2.0";
  return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
}

static inline int skiff_bpf_attach_device(int cgroup, int program) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.target_fd = (uint32_t)cgroup;
  attributes.attach_bpf_fd = (uint32_t)program;
  attributes.attach_type = BPF_CGROUP_DEVICE;
  attributes.attach_flags = BPF_F_ALLOW_MULTI;
  return (int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attributes, sizeof attributes);
}

// CMSG macros.

static inline size_t skiff_cmsg_space(size_t length) { return CMSG_SPACE(length); }
static inline size_t skiff_cmsg_len(size_t length) { return CMSG_LEN(length); }
static inline void *skiff_cmsg_data(struct cmsghdr *header) { return CMSG_DATA(header); }
static inline struct cmsghdr *skiff_cmsg_first(struct msghdr *message) { return CMSG_FIRSTHDR(message); }
static inline struct cmsghdr *skiff_cmsg_next(struct msghdr *message, struct cmsghdr *header) {
  return CMSG_NXTHDR(message, header);
}

// Constants whose macro Swift cannot import.

static const int skiff_AT_FDCWD = AT_FDCWD;
static const uint32_t skiff_seccomp_act_errno_base = 0x00050000U;

// Members that are macros, and requests whose macro Swift cannot import.

static inline pid_t skiff_siginfo_pid(const siginfo_t *information) { return information->si_pid; }
static inline int skiff_siginfo_status(const siginfo_t *information) { return information->si_status; }
static inline int skiff_ioctl_number(int descriptor, unsigned long request, long argument) {
  return ioctl(descriptor, request, argument);
}
static const unsigned long skiff_TIOCSPTLCK = TIOCSPTLCK;
static const unsigned long skiff_TIOCGPTPEER = TIOCGPTPEER;
static inline void skiff_exit_for_signal(int number) { _exit(128 + number); }
static inline void skiff_exit_on_signal(int number) { signal(number, skiff_exit_for_signal); }
static inline void skiff_ignore_signal(int number) { signal(number, SIG_IGN); }

// Calls whose address argument is a transparent union.

static inline int skiff_bind_ipv4(int socket, const struct sockaddr_in *address) {
  return bind(socket, (const struct sockaddr *)address, sizeof *address);
}
static inline int skiff_getsockname_ipv4(int socket, struct sockaddr_in *address) {
  socklen_t length = sizeof *address;
  return getsockname(socket, (struct sockaddr *)address, &length);
}
static inline int skiff_bind_local(int socket, const struct sockaddr_un *address, socklen_t length) {
  return bind(socket, (const struct sockaddr *)address, length);
}
static inline int skiff_connect_local(int socket, const struct sockaddr_un *address, socklen_t length) {
  return connect(socket, (const struct sockaddr *)address, length);
}
static inline int skiff_accept(int socket, int flags) { return accept4(socket, NULL, NULL, flags); }
static inline int skiff_connect_ipv4(int socket, const struct sockaddr_in *address) {
  return connect(socket, (const struct sockaddr *)address, sizeof(*address));
}
static inline int skiff_connect_ipv6(int socket, const struct sockaddr_in6 *address) {
  return connect(socket, (const struct sockaddr *)address, sizeof(*address));
}

// The variables a process was started with; Swift takes the global itself for shared mutable state.
static inline char *const *skiff_environ(void) { return environ; }

// The words the program was started with, up to a null pointer; null where the C library does not tell.
char *const *skiff_arguments(void);

// What the program's file has in memory and nobody writes to is given back.
void skiff_release_program(void);

// Nothing may run between these calls: its pages would come back.
static inline int skiff_release_and_poll(const struct iovec *ranges, int count, struct pollfd *watched, int timeout) {
  for (int index = 0; index < count; index++) madvise(ranges[index].iov_base, ranges[index].iov_len, MADV_DONTNEED);
  return poll(watched, 1, timeout);
}

// Attributes of a process that have no glibc wrapper before 2.41; the structure is the kernel's `struct sched_attr`, whose
// header disagrees with glibc's about `struct sched_param`.

struct skiff_sched_attr {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime;
  uint64_t deadline;
  uint64_t period;
  uint32_t utilization_min;
  uint32_t utilization_max;
};

static inline int skiff_sched_setattr(pid_t pid, const struct skiff_sched_attr *attributes) {
  return (int)syscall(SYS_sched_setattr, pid, attributes, 0);
}
static inline long skiff_sched_setaffinity(pid_t pid, size_t size, const void *mask) {
  return syscall(SYS_sched_setaffinity, pid, size, mask);
}
static inline long skiff_sched_unset_affinity(void) {
  unsigned char all[1024];
  __builtin_memset(all, 0xff, sizeof all);
  return syscall(SYS_sched_setaffinity, 0, sizeof all, all);
}
// Moves a process from the caller's processor to another one of those that one may run on, and leaves it free of both from then on.
static inline void skiff_sched_keep_apart(pid_t pid) {
  unsigned char mask[1024] = {0};
  int here = sched_getcpu();
  // The caller's, which are what the process was made with: its own it may have changed by now.
  long size = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
  if (size < 0 || here < 0 || here >= size * 8) return;
  mask[here / 8] &= (unsigned char)~(1 << here % 8);
  // Without another one the kernel refuses: nothing has changed.
  if (syscall(SYS_sched_setaffinity, pid, size, mask) != 0) return;
  // Not what it had, for the same reason.
  __builtin_memset(mask, 0xff, sizeof mask);
  syscall(SYS_sched_setaffinity, pid, sizeof mask, mask);
}
static inline long skiff_sched_getaffinity(pid_t pid, size_t size, void *mask) {
  return syscall(SYS_sched_getaffinity, pid, size, mask);
}
static inline long skiff_set_mempolicy(int mode, const unsigned long *nodes, unsigned long count) {
  return syscall(SYS_set_mempolicy, mode, nodes, count);
}

// A descriptor of the network namespace a socket is in, or -1 with errno.
int skiff_network_of(int socket);

// Brings up an interface that has no flags of its own, as loopback. 0, or -1 with errno.
int skiff_set_up(int socket, const char *name);

// Makes a child that runs `body` in the caller's memory, below the caller's stack, while the caller waits until it has ended:
// CLinux/SharedChild.c. `body` does not return. The child's number, or -1 with errno.
long skiff_clone_shared(struct clone_args *arguments, void (*body)(void *), void *argument);
// Whether it is written for this processor.
int skiff_can_clone_shared(void);
// Ends this process as such a child has ended that was killed in the middle of something: what is in memory is not touched.
// The child's own child, 0 where there is none, is killed; the text goes to standard error.
_Noreturn void skiff_end_like(pid_t child, pid_t successor, const char *text, size_t length);

// The mount a program that began in SealedStart.c runs from, an open file for as long as it runs; -1 where it was not sealed.
int skiff_own_mount(void);
