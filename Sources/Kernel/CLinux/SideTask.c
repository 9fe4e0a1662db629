// A network namespace made beside the program's one thread, by a task that shares its memory and descriptors for that long.
//
// The task has no thread-local storage of its own while the program goes on with that same storage: nothing in here may
// call the C library, which keeps errno there and allocates without locks in a program that has made no thread. So the
// system calls are made by hand, on a stack that is set aside.
#include "CLinux.h"

#include <linux/futex.h>
#include <linux/if.h>
#include <linux/sockios.h>

#if defined(__x86_64__)
static inline long call(long number, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
static inline long call(long number, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}
#else
#define SKIFF_NO_SIDE_TASK 1
#endif

#ifdef SKIFF_NO_SIDE_TASK

int skiff_begin_network(int channel) {
  (void)channel;
  return ENOSYS;
}

void skiff_await_network(void) {}

#else

// The task's number while it runs; the kernel clears it and wakes who waits for that.
static int running;
static char stack[16384] __attribute__((aligned(64)));

// Brings up the first interface of the namespace, which is loopback: rtnetlink(7).
static long bring_up(int socket) {
  struct {
    struct nlmsghdr header;
    struct ifinfomsg link;
  } request = {
      .header = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_NEWLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
      .link = {.ifi_family = AF_UNSPEC, .ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP},
  };
  struct {
    struct nlmsghdr header;
    struct nlmsgerr error;
    char rest[256];
  } answer;
  long result = call(SYS_sendto, socket, (long)&request, sizeof request, 0, 0, 0);
  if (result < 0) return result;
  result = call(SYS_recvfrom, socket, (long)&answer, sizeof answer, 0, 0, 0);
  if (result < 0) return result;
  if (result < (long)(sizeof answer.header + sizeof answer.error.error) || answer.header.nlmsg_type != NLMSG_ERROR)
    return -EPROTO;
  return answer.error.error;
}

// The message's first byte says which call failed, the second with which number.
static void tell(int channel, unsigned char step, long result, int descriptor) {
  unsigned char text[2] = {step, (unsigned char)(result < 0 ? -result : 0)};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  control.header.cmsg_len = CMSG_LEN(sizeof(int));
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  *(int *)CMSG_DATA(&control.header) = descriptor;
  struct iovec vector = {text, sizeof text};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  if (descriptor >= 0) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
  }
  call(SYS_sendmsg, channel, (long)&message, MSG_NOSIGNAL, 0, 0, 0);
}

static int make_network(void *argument) {
  int channel = (int)(long)argument;
  long socket = -1, result = call(SYS_unshare, CLONE_NEWNET, 0, 0, 0, 0, 0);
  unsigned char step = 1;
  if (result >= 0) {
    step = 2;
    result = socket = call(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE, 0, 0, 0);
  }
  if (result >= 0) {
    step = 3;
    result = bring_up((int)socket);
  }
  if (result >= 0) {
    step = 4;
    // A socket knows its namespace: no path is asked for it, in whatever procfs there is.
    result = call(SYS_ioctl, socket, SIOCGSKNS, 0, 0, 0, 0);
  }
  tell(channel, step, result, (int)result);
  if (result >= 0) call(SYS_close, result, 0, 0, 0, 0, 0);
  if (socket >= 0) call(SYS_close, socket, 0, 0, 0, 0, 0);
  return 0;
}

int skiff_begin_network(int channel) {
  if (__atomic_load_n(&running, __ATOMIC_ACQUIRE) != 0) return EBUSY;
  int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PARENT_SETTID |
              CLONE_CHILD_CLEARTID;
  if (clone(make_network, stack + sizeof stack, flags, (void *)(long)channel, &running, NULL, &running) < 0) return errno;
  return 0;
}

void skiff_await_network(void) {
  int seen;
  while ((seen = __atomic_load_n(&running, __ATOMIC_ACQUIRE)) != 0)
    call(SYS_futex, (long)&running, FUTEX_WAIT, seen, 0, 0, 0);
}

#endif
