// A network namespace made beside the program's one thread, by a task that shares its memory and descriptors for that long.
//
// The task has no thread-local storage of its own while the program goes on with that same storage: nothing in here may
// call the C library, which keeps errno there and allocates without locks in a program that has made no thread. So the
// system calls are made by hand, on a stack that is set aside.
#include "CLinux.h"
#include "RawCall.h"

#include <linux/futex.h>
#include <linux/if.h>
#include <linux/sockios.h>

#ifndef SKIFF_HAS_RAW_CALL

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
  long result = skiff_raw_call(SYS_sendto, socket, (long)&request, sizeof request, 0, 0, 0);
  if (result < 0) return result;
  result = skiff_raw_call(SYS_recvfrom, socket, (long)&answer, sizeof answer, 0, 0, 0);
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
  skiff_raw_call(SYS_sendmsg, channel, (long)&message, MSG_NOSIGNAL, 0, 0, 0);
}

static int make_network(void *argument) {
  int channel = (int)(long)argument;
  long socket = -1, result = skiff_raw_call(SYS_unshare, CLONE_NEWNET, 0, 0, 0, 0, 0);
  unsigned char step = 1;
  if (result >= 0) {
    step = 2;
    result = socket = skiff_raw_call(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE, 0, 0, 0);
  }
  if (result >= 0) {
    step = 3;
    result = bring_up((int)socket);
  }
  if (result >= 0) {
    step = 4;
    // A socket knows its namespace: no path is asked for it, in whatever procfs there is.
    result = skiff_raw_call(SYS_ioctl, socket, SIOCGSKNS, 0, 0, 0, 0);
  }
  tell(channel, step, result, (int)result);
  if (result >= 0) skiff_raw_call(SYS_close, result, 0, 0, 0, 0, 0);
  if (socket >= 0) skiff_raw_call(SYS_close, socket, 0, 0, 0, 0, 0);
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
    skiff_raw_call(SYS_futex, (long)&running, FUTEX_WAIT, seen, 0, 0, 0);
}

#endif
