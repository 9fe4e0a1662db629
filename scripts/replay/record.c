// record OUT PROGRAM ARGUMENT…: runs a program and writes down every system call that it and what it makes does, with what the
// calls were given, for replay.c. Linux on x86-64; as root.
//
//   N 0 2 4711                     stream 0 made stream 2, whose number is 4711
//   0 257 5 iffffff9c b2f65… i80000 i0         stream, number, result, arguments
//   X 2                            stream 2 became another program
//
// An argument is i number, f descriptor, b bytes, o what the kernel fills in, p process, or one of the capitals below; what comes
// back and is used later stands behind "=".
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

// A letter for each argument: d directory, s text, Bn as many bytes as argument n says, bn that many bytes, G numbers of groups,
// S filter, V list of texts, L clone_args, H message sent, R message awaited, W pair; the rest as above.
struct description {
  int number;
  const char *arguments;
};
static const struct description descriptions[] = {
    {SYS_access, "si"}, {SYS_capget, "b8o"}, {SYS_capset, "b8b24"}, {SYS_chdir, "s"}, {SYS_clone, "i"}, {SYS_clone3, "L"},
    {SYS_clock_gettime, "io"}, {SYS_close, "f"}, {SYS_close_range, "iii"}, {SYS_dup2, "fi"}, {SYS_dup3, "fii"}, {SYS_execve, "sVV"},
    {SYS_exit, "i"}, {SYS_exit_group, "i"}, {SYS_faccessat, "dsi"}, {SYS_faccessat2, "dsii"}, {SYS_fchdir, "f"}, {SYS_fchmod, "fi"},
    {SYS_fchmodat, "dsi"}, {SYS_fchown, "fii"}, {SYS_fchownat, "dsiii"}, {SYS_fcntl, "fii"}, {SYS_flock, "fi"},
    {SYS_fsconfig, "fissi"}, {SYS_fsmount, "fii"}, {SYS_fsopen, "si"}, {SYS_fstat, "fo"}, {SYS_fstatfs, "fo"},
    {SYS_ftruncate, "fi"}, {SYS_getcwd, "oi"}, {SYS_getdents64, "foi"}, {SYS_getegid, ""},
    {SYS_geteuid, ""}, {SYS_getgid, ""}, {SYS_getpid, ""}, {SYS_getppid, ""}, {SYS_getrandom, "oii"}, {SYS_gettid, ""},
    {SYS_getuid, ""}, {SYS_ioctl, "fio"}, {SYS_keyctl, "isiii"}, {SYS_kill, "pi"}, {SYS_linkat, "dsdsi"}, {SYS_lseek, "fii"},
    {SYS_memfd_create, "si"}, {SYS_mkdirat, "dsi"}, {SYS_mknodat, "dsii"}, {SYS_mount, "sssis"}, {SYS_mount_setattr, "dsiB4i"},
    {SYS_move_mount, "dsdsi"}, {SYS_newfstatat, "dsoi"}, {SYS_open_tree, "dsi"}, {SYS_openat, "dsii"}, {SYS_openat2, "dsB3i"},
    {SYS_personality, "i"}, {SYS_pidfd_open, "pi"}, {SYS_pidfd_send_signal, "fiii"}, {SYS_pivot_root, "ss"}, {SYS_prctl, "iiiii"},
    {SYS_pread64, "foii"}, {SYS_prlimit64, "iib16o"}, {SYS_read, "foi"}, {SYS_readlink, "soi"}, {SYS_readlinkat, "dsoi"},
    {SYS_recvfrom, "foiiii"}, {SYS_recvmsg, "fRi"}, {SYS_renameat, "dsds"}, {SYS_renameat2, "dsdsi"},
    {SYS_rt_sigaction, "ib32oi"}, {SYS_rt_sigprocmask, "ib8oi"}, {SYS_sched_getaffinity, "pio"}, {SYS_sched_setaffinity, "piB1"},
    {SYS_sched_yield, ""}, {SYS_seccomp, "iiS"}, {SYS_sendmsg, "fHi"}, {SYS_sendto, "fB2iiii"}, {SYS_setdomainname, "B1i"},
    {SYS_setgid, "i"}, {SYS_setgroups, "iG"}, {SYS_sethostname, "B1i"}, {SYS_setns, "fi"}, {SYS_setresgid, "iii"},
    {SYS_setresuid, "iii"}, {SYS_setsid, ""}, {SYS_setsockopt, "fiiB4i"}, {SYS_setuid, "i"}, {SYS_signalfd4, "dB2ii"},
    {SYS_socket, "iii"}, {SYS_socketpair, "iiiW"}, {SYS_statfs, "so"}, {SYS_statx, "dsiio"}, {SYS_symlinkat, "sds"}, {SYS_umask, "i"},
    {SYS_umount2, "si"}, {SYS_unlink, "s"}, {SYS_unlinkat, "dsi"}, {SYS_unshare, "i"}, {SYS_wait4, "poio"}, {SYS_waitid, "ipoio"},
    {SYS_write, "fB2i"}, {SYS_poll, "oii"}, {SYS_ppoll, "oib16oi"}, {SYS_rt_sigreturn, ""}, {SYS_nanosleep, "b16o"},
};

struct task {
  int pid, stream, is_inside;
  long number;
  unsigned long arguments[6];
  char *line;
  size_t length;
};
static struct task tasks[64];
static int task_count, stream_count;
static FILE *out;
static char bytes[1 << 16];

// What a library asks of the kernel for its own memory is not replayed.
static int is_memory(long number) {
  switch (number) {
  case SYS_arch_prctl: case SYS_brk: case SYS_madvise: case SYS_mmap: case SYS_mprotect: case SYS_mremap: case SYS_munmap:
  case SYS_rseq: case SYS_set_robust_list: case SYS_set_tid_address: return 1;
  default: return 0;
  }
}

static void take(const struct task *task, unsigned long at, void *to, size_t size) {
  struct iovec ours = {to, size}, theirs = {(void *)at, size};
  if (size && process_vm_readv(task->pid, &ours, 1, &theirs, 1, 0) != (ssize_t)size) memset(to, 0, size);
}

static void print(const void *from, size_t size) {
  for (size_t index = 0; index < size; index++) fprintf(out, "%02x", ((const unsigned char *)from)[index]);
}

static void print_memory(const struct task *task, unsigned long at, size_t size) {
  if (size > sizeof bytes) size = sizeof bytes;
  take(task, at, bytes, size);
  print(bytes, size);
}

static void print_text(const struct task *task, unsigned long at) {
  size_t size = 0;
  do take(task, at + size, bytes + size, 1);
  while (bytes[size++] && size < 8192);
  print(bytes, size);
}

static void print_argument(const struct task *task, int index, char letter, int count) {
  unsigned long value = task->arguments[index];
  if (strchr("sBbGSVLHRWo", letter) && !value) letter = 'i';
  // PR_SET_NAME, and what other operations fill in.
  if (letter == 'i' && task->number == SYS_prctl && index > 0 && value > 1UL << 46) letter = task->arguments[0] == PR_SET_NAME ? 's' : 'o';
  switch (letter) {
  case 'i': fprintf(out, " i%lx", value); break;
  case 'p': fprintf(out, " p%lx", value); break;
  case 'd': if ((int)value < 0) { fprintf(out, " i%lx", (unsigned long)(long)(int)value); break; } // fall through
  case 'f': fprintf(out, " f%d", (int)value); break;
  case 's': fprintf(out, " b"), print_text(task, value); break;
  case 'B': fprintf(out, " b"), print_memory(task, value, task->arguments[count]); break;
  case 'b': fprintf(out, " b"), print_memory(task, value, count); break;
  case 'G': fprintf(out, " b"), print_memory(task, value, task->arguments[0] * sizeof(int)); break;
  case 'W': case 'o': fprintf(out, " o"); break;
  case 'S': {
    struct sock_fprog program;
    take(task, value, &program, sizeof program);
    fprintf(out, " S"), print_memory(task, (unsigned long)program.filter, program.len * sizeof *program.filter);
    break;
  }
  case 'V':
    fprintf(out, " V");
    for (unsigned long word; take(task, value, &word, sizeof word), word; value += sizeof word) print_text(task, word), fprintf(out, ",");
    break;
  case 'L': {
    struct clone_args asked = {0};
    take(task, value, &asked, task->arguments[1]);
    fprintf(out, " L%llx/%llx/%lld", asked.flags, asked.exit_signal, asked.cgroup);
    break;
  }
  default: {
    struct msghdr message;
    struct iovec part;
    take(task, value, &message, sizeof message);
    take(task, (unsigned long)message.msg_iov, &part, sizeof part);
    fprintf(out, " %c", letter);
    if (letter == 'R') break;
    print_memory(task, (unsigned long)part.iov_base, part.iov_len);
    fprintf(out, "/"), print_memory(task, (unsigned long)message.msg_control, message.msg_controllen);
  }
  }
}

// Before the call: what it is given may be gone afterwards.
static void enter(struct task *task) {
  const struct description *found = NULL;
  for (size_t index = 0; index < sizeof descriptions / sizeof *descriptions; index++)
    if (descriptions[index].number == task->number) found = &descriptions[index];
  if (!found) {
    fprintf(stderr, "record: call %ld has no description\n", task->number);
    exit(1);
  }
  FILE *kept = out;
  out = open_memstream(&task->line, &task->length);
  const char *at = found->arguments;
  for (int index = 0; *at; index++) {
    char letter = *at++;
    int count = (int)strtol(at, (char **)&at, 10);
    // What the kernel is told of an interface, where others ask for something.
    if (task->number == SYS_ioctl && index == 2 && task->arguments[1] == SIOCSIFFLAGS) letter = 'b', count = sizeof(struct ifreq);
    print_argument(task, index, letter, count);
  }
  fclose(out);
  out = kept;
}

static void leave(struct task *task, long result) {
  const unsigned long *given = task->arguments;
  fprintf(out, "%d %ld %ld%s", task->stream, task->number, result, task->line);
  int numbers[2] = {-1, -1};
  if (result >= 0) switch (task->number) {
  case SYS_socketpair: take(task, given[3], numbers, sizeof numbers), fprintf(out, " =%d,%d", numbers[0], numbers[1]); break;
  case SYS_clone: if (given[0] & CLONE_PIDFD) take(task, given[2], numbers, sizeof *numbers), fprintf(out, " =%d", *numbers); break;
  case SYS_clone3: {
    struct clone_args asked = {0};
    take(task, given[0], &asked, given[1]);
    if (asked.flags & CLONE_PIDFD) take(task, asked.pidfd, numbers, sizeof *numbers);
    fprintf(out, " =%d", *numbers);
    break;
  }
  case SYS_read: if (result > 0) fprintf(out, " ="), print_memory(task, given[1], result); break;
  case SYS_recvmsg: {
    struct msghdr message;
    take(task, given[1], &message, sizeof message);
    fprintf(out, " ="), print_memory(task, (unsigned long)message.msg_control, message.msg_controllen);
  }
  }
  fprintf(out, "\n");
}

static struct task *task_of(int pid) {
  for (int index = 0; index < task_count; index++)
    if (tasks[index].pid == pid) return &tasks[index];
  if (task_count == 64) exit(1);
  tasks[task_count] = (struct task){.pid = pid, .stream = -1};
  return &tasks[task_count++];
}

static void stopped_at_call(struct task *task) {
  struct __ptrace_syscall_info info;
  ptrace(PTRACE_GET_SYSCALL_INFO, task->pid, sizeof info, &info);
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
    task->number = (long)info.entry.nr;
    for (int index = 0; index < 6; index++) task->arguments[index] = info.entry.args[index];
    task->is_inside = !is_memory(task->number);
    if (task->is_inside) enter(task);
    if (task->number == SYS_exit || task->number == SYS_exit_group) leave(task, 0);
  } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && task->is_inside) {
    task->is_inside = 0;
    leave(task, info.exit.rval);
    if (task->number == SYS_execve && info.exit.rval == 0) fprintf(out, "X %d\n", task->stream);
  }
}

int main(int count, char **words) {
  if (count < 3 || !(out = fopen(words[1], "we"))) return fprintf(stderr, "usage: record OUT PROGRAM ARGUMENT…\n"), 2;
  // What is left behind comes here and is reaped, as by an engine.
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  int first = fork(), status;
  if (first == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    execv(words[2], words + 2);
    _exit(127);
  }
  waitpid(first, &status, 0);
  ptrace(PTRACE_SETOPTIONS, first, 0,
         PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC);
  task_of(first)->stream = stream_count++;
  ptrace(PTRACE_SYSCALL, first, 0, 0);
  for (int pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
    if (!WIFSTOPPED(status)) continue;
    struct task *task = task_of(pid);
    int deliver = WSTOPSIG(status), event = status >> 16;
    if (deliver == (SIGTRAP | 0x80)) stopped_at_call(task);
    if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK) {
      unsigned long made;
      ptrace(PTRACE_GETEVENTMSG, pid, 0, &made);
      task_of((int)made)->stream = stream_count;
      fprintf(out, "N %d %d %lu\n", task_of(pid)->stream, stream_count++, made);
    }
    if (event || deliver == (SIGTRAP | 0x80) || deliver == SIGSTOP) deliver = 0;
    ptrace(PTRACE_SYSCALL, pid, 0, deliver);
  }
  return fclose(out) != 0;
}
