// A child that shares the caller's memory while the caller waits: clone3(CLONE_VM | CLONE_VFORK), see clone(2).
//
// The child runs on the caller's stack, below the frame that waits, and with the caller's thread-local storage. Neither is
// used by two at once. What it leaves in memory stays; its descriptors, directory, rights and namespaces are its own.
#include "CLinux.h"
#include "RawCall.h"

void skiff_end_like(pid_t child, pid_t successor, const char *text, size_t length) {
  siginfo_t ended = {0};
  while (waitid(P_PID, (id_t)child, &ended, WEXITED) < 0 && errno == EINTR) {}
  if (successor > 0 && kill(successor, SIGKILL) == 0)
    while (waitpid(successor, NULL, 0) < 0 && errno == EINTR) {}
  while (write(2, text, length) < 0 && errno == EINTR) {}
  _exit(ended.si_code == CLD_EXITED ? ended.si_status : 128 + ended.si_status);
}

#ifndef SKIFF_HAS_RAW_CALL

int skiff_can_clone_shared(void) { return 0; }

long skiff_clone_shared(struct clone_args *arguments, void (*body)(void *), void *argument) {
  (void)arguments, (void)body, (void)argument;
  errno = ENOSYS;
  return -1;
}

#else

int skiff_can_clone_shared(void) { return 1; }

// What a leaf function may keep below its stack's end (the red zone of the x86-64 calling convention), and room to spare.
enum { GAP = 1024, ROOM = 65536 };

// Not inlined: the caller's frame is to be above the child's stack whatever the compiler makes of it.
__attribute__((noinline)) long skiff_clone_shared(struct clone_args *arguments, void (*body)(void *), void *argument) {
  arguments->flags |= CLONE_VM | CLONE_VFORK;
  arguments->stack_size = ROOM;
  long result;
#if defined(__x86_64__)
  __asm__ volatile(
      "lea -%c[below](%%rsp), %%rax\n\t"
      "and $-16, %%rax\n\t"
      "mov %%rax, %c[stack](%%rdi)\n\t"
      "mov %[number], %%eax\n\t"
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "mov %[argument], %%rdi\n\t"
      "call *%[body]\n\t"
      "ud2\n"
      "1:"
      : "=&a"(result)
      : "D"(arguments), "S"(sizeof *arguments), [body] "r"(body), [argument] "r"(argument), [number] "i"(SYS_clone3),
        [below] "i"(GAP + ROOM), [stack] "i"(offsetof(struct clone_args, stack))
      : "rcx", "r11", "memory", "cc");
#else
  register long x0 __asm__("x0") = (long)arguments;
  register long x1 __asm__("x1") = sizeof *arguments;
  register long x8 __asm__("x8") = SYS_clone3;
  register void *call __asm__("x19") = (void *)body;
  register void *with __asm__("x20") = argument;
  __asm__ volatile(
      "sub x9, sp, %[below]\n\t"
      "and x9, x9, #-16\n\t"
      "str x9, [x0, %[stack]]\n\t"
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x0, x20\n\t"
      "blr x19\n\t"
      "brk #1\n"
      "1:"
      : "+r"(x0)
      : "r"(x1), "r"(x8), "r"(call), "r"(with), [below] "r"((long)(GAP + ROOM)),
        [stack] "i"(offsetof(struct clone_args, stack))
      : "x9", "memory", "cc");
  result = x0;
#endif
  if (result >= 0) return result;
  errno = (int)-result;
  return -1;
}

#endif
