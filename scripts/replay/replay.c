// The system calls that record.c wrote down, from a program that does nothing else: what no language does them faster than.
//
// `tables` makes calls.h of what was recorded. Numbers of descriptors and of processes are other ones each time, so they are
// looked up; nothing else is decided. With SKIFF_REPLAY_ALONE the program has no C library and begins at `_start`; without, it
// is a function to be called: `replay_words`.
#define _GNU_SOURCE
#include "RawCall.h"

#include <linux/filter.h>
#include <linux/sched.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum result { NOTHING, DESCRIPTOR, PAIR, PROCESS };
enum kind { NUMBER, FD, OUT, PID, TEMPLATE };
struct call {
  short number;
  // What of the result is used later; the stream that is made; where in what was read a process's number stands, from 1.
  unsigned char result, stream;
  unsigned short found_at;
  // The slot of that number, or the length of a template.
  int extra;
  long recorded, arguments[6];
  unsigned char kinds[6];
};
struct verb {
  const char *name;
  const struct call *const *streams;
};
#include "calls.h"

#define CALL(number, a, b, c, d, e, f) skiff_raw_call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define DESCRIPTORS 128

// One thread's: what the recorded descriptors are here, and memory for the kernel and for texts.
struct thread {
  int descriptors[DESCRIPTORS];
  char *out, *text;
};
static long processes[8];
static const struct call *const *streams;
static void run(int stream, struct thread *thread);

static void write_number(char **at, long value) {
  char digits[20];
  int count = 0;
  do digits[count++] = (char)('0' + value % 10);
  while (value /= 10);
  while (count) *(*at)++ = digits[--count];
}

// Another result than was recorded: nothing that follows would be what it was.
static void differ(int stream, long index, long result) {
  char text[80] = "replay: another result in stream, at, error: ", *at = text;
  while (*at) at++;
  for (int part = 0; part < 3; part++) {
    write_number(&at, part == 0 ? stream : part == 1 ? index : result < 0 ? -result : 0);
    *at++ = part == 2 ? '\n' : ' ';
  }
  CALL(SYS_write, 2, text, at - text, 0, 0, 0);
  CALL(SYS_exit_group, 99, 0, 0, 0, 0, 0);
}

static struct thread *first_thread;

static int shared_stream;

__attribute__((used)) void replay_shared(void) {
  // What it opens is its own, in memory that is not.
  struct thread thread = *first_thread;
  run(shared_stream, &thread);
  CALL(SYS_exit_group, 98, 0, 0, 0, 0, 0);
}

// A process in this one's memory, for which this one waits, as skiff_clone_shared makes one.
static long start_shared(struct clone_args *asked, int stream) {
  static char stack[32768] __attribute__((aligned(16)));
  asked->stack = (unsigned long)stack;
  asked->stack_size = sizeof stack;
  shared_stream = stream;
  long result;
  __asm__ volatile("syscall\ntest %%rax,%%rax\njnz 1f\nxor %%ebp,%%ebp\ncall replay_shared\n1:"
                   : "=a"(result)
                   : "a"(SYS_clone3), "D"(asked), "S"(sizeof *asked)
                   : "rcx", "r11", "memory");
  return result;
}

static long make_process(const struct call *call, const long *given, struct thread *thread) {
  int pidfd = -1;
  struct clone_args asked = {.flags = (unsigned long)given[0], .exit_signal = (unsigned long)given[1], .pidfd = (unsigned long)&pidfd};
  if (given[0] & CLONE_INTO_CGROUP) asked.cgroup = (unsigned long)given[3];
  // A filter may not let the newer call through.
  long result = call->number == SYS_clone     ? CALL(SYS_clone, given[0], 0, &pidfd, 0, 0, 0)
                : given[0] & CLONE_VM         ? start_shared(&asked, call->stream)
                                              : CALL(SYS_clone3, &asked, sizeof asked, 0, 0, 0, 0);
  if (result == 0) {
    run(call->stream, thread);
    CALL(SYS_exit_group, 98, 0, 0, 0, 0, 0);
  }
  processes[call->extra] = result;
  if (given[0] & CLONE_PIDFD) thread->descriptors[given[2]] = pidfd;
  return result;
}

static void map_rights(const void *recorded, long size, void *here, struct thread *thread, int is_sent) {
  const struct cmsghdr *then = recorded;
  struct cmsghdr *now = here;
  if (size < (long)sizeof *then || then->cmsg_type != SCM_RIGHTS) return;
  for (size_t index = 0; index < (then->cmsg_len - sizeof *then) / sizeof(int); index++) {
    int *number = thread->descriptors + ((const int *)(then + 1))[index];
    if (is_sent)
      ((int *)(now + 1))[index] = *number;
    else
      *number = ((int *)(now + 1))[index];
  }
}

// Arguments: the socket, then bytes, their count, control data and its size; or control data, its size, and flags.
static long send_or_receive(const struct call *call, const long *given, struct thread *thread) {
  char control[256] __attribute__((aligned(8)));
  struct iovec part = {thread->out, 4096};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (call->number == SYS_recvmsg) {
    long result = CALL(SYS_recvmsg, given[0], &message, given[3], 0, 0, 0);
    if (result >= 0 && message.msg_controllen) map_rights((void *)given[1], given[2], control, thread, 0);
    return result;
  }
  for (long index = 0; index < given[4]; index++) control[index] = ((const char *)given[3])[index];
  map_rights((void *)given[3], given[4], control, thread, 1);
  part = (struct iovec){(void *)given[1], (size_t)given[2]};
  message.msg_controllen = (size_t)given[4];
  return CALL(SYS_sendmsg, given[0], &message, MSG_NOSIGNAL, 0, 0, 0);
}

// Ranges between two descriptors that are kept, which have other numbers here.
static long close_others(const long *given, struct thread *thread) {
  static int part;
  if (given[2] || KEPT_0 < 0) return CALL(SYS_close_range, given[0], given[1], given[2], 0, 0, 0);
  long low = thread->descriptors[KEPT_0], high = thread->descriptors[KEPT_1];
  if (low > high) {
    long swapped = low;
    low = high;
    high = swapped;
  }
  long first = part == 0 ? 3 : part == 1 ? low + 1 : high + 1, last = part == 0 ? low - 1 : part == 1 ? high - 1 : 0xffffffffL;
  part++;
  return first > last ? 0 : CALL(SYS_close_range, first, last, 0, 0, 0, 0);
}

// A child is kept from the processor its maker is on, which is another one than when it was recorded; then it has again what was
// asked for right before.
static long set_processors(const long *given, struct thread *thread) {
  static unsigned char had[1024];
  static int is_apart;
  if (!given[0]) return CALL(SYS_sched_setaffinity, given[0], given[1], given[2], 0, 0, 0);
  unsigned here = 0;
  CALL(SYS_getcpu, &here, 0, 0, 0, 0, 0);
  for (long index = 0; index < given[1] && !is_apart; index++) had[index] = (unsigned char)thread->out[index];
  unsigned char mask[1024];
  for (long index = 0; index < given[1]; index++) mask[index] = had[index];
  if (!is_apart) mask[here / 8] &= (unsigned char)~(1 << here % 8);
  is_apart = !is_apart;
  return CALL(SYS_sched_setaffinity, given[0], given[1], mask, 0, 0, 0);
}

static long fill_in(const struct call *call, struct thread *thread, long *given) {
  char *at = thread->text;
  long length = -1;
  for (int index = 0; index < 6; index++) {
    long value = call->arguments[index];
    switch (call->kinds[index]) {
    case FD: value = thread->descriptors[value]; break;
    case OUT: value = (long)thread->out; break;
    case PID: value = processes[value]; break;
    case TEMPLATE: {
      // 1 stands before the slot of a process, 2 before a descriptor; both counted from 1.
      const unsigned char *text = (const unsigned char *)value;
      value = (long)at;
      for (long place = 0; place < call->extra; place++) {
        if (text[place] == 1)
          write_number(&at, processes[text[++place] - 1]);
        else if (text[place] == 2)
          write_number(&at, thread->descriptors[text[++place] - 1]);
        else
          *at++ = (char)text[place];
      }
      length = at - (char *)value;
      *at++ = 0;
    }
    }
    given[index] = value;
  }
  return length;
}

static void run(int stream, struct thread *thread) {
  long index = 0;
  for (const struct call *call = streams[stream]; call->number >= 0; call++, index++) {
    long given[6], result, length = fill_in(call, thread, given);
    if (call->number == SYS_write && length >= 0) given[2] = length;
    switch (call->number) {
    case SYS_clone:
    case SYS_clone3: result = make_process(call, given, thread); break;
    case SYS_sendmsg:
    case SYS_recvmsg: result = send_or_receive(call, given, thread); break;
    case SYS_close_range: result = close_others(given, thread); break;
    case SYS_sched_setaffinity: result = set_processors(given, thread); break;
    default: result = CALL(call->number, given[0], given[1], given[2], given[3], given[4], given[5]);
    }
    // What is not there yet is waited for otherwise: 11 is EAGAIN.
    if ((result < 0) != (call->recorded < 0) && result != -11) differ(stream, index, result);
    if (result < 0) continue;
    if (call->result == DESCRIPTOR) thread->descriptors[call->recorded] = (int)result;
    if (call->result == PAIR)
      for (int end = 0; end < 2; end++) thread->descriptors[call->arguments[4 + end]] = ((int *)thread->out)[end];
    if (call->number == SYS_read && call->found_at) {
      long value = 0;
      for (const char *at = thread->out + call->found_at - 1; *at >= '0' && *at <= '9'; at++) value = value * 10 + *at - '0';
      processes[call->extra] = value;
    }
  }
}

static int is_word(const char *text, const char *word) {
  while (*text && *text == *word) text++, word++;
  return *text == *word;
}

// Replays the verb that is among a command line's words.
void replay_words(const char *const *words, int sealed_mount) {
  static char out[1 << 15], text[1 << 14];
  struct thread thread = {.out = out, .text = text};
  for (int index = 0; index < DESCRIPTORS; index++) thread.descriptors[index] = index;
  // The mount that SealedStart.c leaves open.
  if (sealed_mount >= 0) thread.descriptors[3] = sealed_mount;
  first_thread = &thread;
  for (; *words; words++)
    for (unsigned index = 0; index < sizeof verbs / sizeof *verbs; index++)
      if (is_word(*words, verbs[index].name)) {
        streams = verbs[index].streams;
        run(0, &thread);
      }
  CALL(SYS_exit_group, 2, 0, 0, 0, 0, 0);
}

#ifdef SKIFF_REPLAY_ALONE
int skiff_sealed_mount = -1;
// What compilers call for structures.
void *memcpy(void *to, const void *from, size_t size) {
  for (size_t index = 0; index < size; index++) {
    ((char *)to)[index] = ((const char *)from)[index];
    __asm__ volatile("" ::: "memory");
  }
  return to;
}
void *memset(void *to, int byte, size_t size) {
  for (size_t index = 0; index < size; index++) {
    ((char *)to)[index] = (char)byte;
    __asm__ volatile("" ::: "memory");
  }
  return to;
}
__attribute__((used)) void replay_alone(long *stack) { replay_words((const char *const *)(stack + 1), skiff_sealed_mount); }
__asm__(".globl _start\n_start:\nxor %ebp, %ebp\nmov %rsp, %rdi\nand $-16, %rsp\ncall replay_alone\n");
#endif
