// How the C library of a small static program begins, without asking the processor what it is.
//
// glibc asks it 43 times, at every start, for its caches and instructions, to choose among ways to copy memory. On a virtual
// machine each `cpuid` is a way out to the host and back, 4 microseconds: 0.2 ms for a program that lives for one, and copies
// a few kilobytes. Here the questions are left out, which chooses the ways that every x86-64 processor knows.
//
// The function stands in for glibc's own of the same name, in libc.a's libc-start.o, which stays out of the program. What it
// calls and sets are glibc's parts of a start, in glibc's order, which belong to one version of it: with any other this file is
// empty, and the program begins as glibc has it.
#include <features.h>

#if defined(__x86_64__) && defined(__GLIBC__) && __GLIBC__ == 2 && __GLIBC_MINOR__ == 36

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#pragma GCC visibility push(hidden)
extern void *__libc_stack_end;
extern int __libc_enable_secure;
extern void *_dl_random;
extern void _dl_aux_init(Elf64_auxv_t *);
extern void __tunables_init(char **);
extern void _dl_relocate_static_pie(void);
extern void __libc_setup_tls(void);
extern void __libc_early_init(_Bool);
extern void __libc_init_first(int, char **, char **);
extern void __libc_check_standard_fds(void);
extern const Elf64_Rela __rela_iplt_start[] __attribute__((weak));
extern const Elf64_Rela __rela_iplt_end[] __attribute__((weak));
extern void (*__preinit_array_start[])(int, char **, char **);
extern void (*__preinit_array_end[])(int, char **, char **);
extern void (*__init_array_start[])(int, char **, char **);
extern void (*__init_array_end[])(int, char **, char **);
extern void (*__fini_array_start[])(void);
extern void (*__fini_array_end[])(void);
extern void _init(void);
extern void _fini(void);

// From when on memory is copied in another way, by what glibc takes a processor to have that says nothing: sizes in bytes.
long __x86_data_cache_size_half = 32 * 1024 / 2;
long __x86_data_cache_size = 32 * 1024;
long __x86_shared_cache_size_half = 1024 * 1024 / 2;
long __x86_shared_cache_size = 1024 * 1024;
long __x86_shared_non_temporal_threshold = 1024 * 1024 * 3 / 4;
long __x86_rep_movsb_threshold = 2048;
long __x86_rep_stosb_threshold = 2048;
long __x86_rep_movsb_stop_threshold = 1024 * 1024 * 3 / 4;
int __x86_string_control = 0;
#pragma GCC visibility pop

extern char **__environ;
extern int __cxa_atexit(void (*)(void *), void *, void *);

static void finish(void *unused) {
  size_t count = (size_t)(__fini_array_end - __fini_array_start);
  while (count-- > 0) __fini_array_start[count]();
  _fini();
}

// Called by _start; the guard of stacks is set in it.
__attribute__((no_stack_protector, noreturn)) int __libc_start_main(int (*main)(int, char **, char **), int count,
                                                                    char **words, void (*init)(void), void (*fini)(void),
                                                                    void (*loader)(void), void *stack) {
  __environ = words + count + 1;
  __libc_stack_end = stack;
  char **last = __environ;
  while (*last) ++last;
  _dl_aux_init((Elf64_auxv_t *)(last + 1));
  __tunables_init(__environ);
  _dl_relocate_static_pie();
  // Each function with several forms chooses one, and finds a processor that can do nothing special.
  for (const Elf64_Rela *entry = __rela_iplt_start; entry < __rela_iplt_end; ++entry)
    *(uintptr_t *)entry->r_offset = ((uintptr_t(*)(void))entry->r_addend)();
  __libc_setup_tls();
  // The guard's first byte is zero, so that a text that runs over does not carry it on.
  __asm__ volatile("mov %0, %%fs:0x28" ::"r"(*(uintptr_t *)_dl_random & ~(uintptr_t)0xff));
  __asm__ volatile("mov %0, %%fs:0x30" ::"r"(((uintptr_t *)_dl_random)[1]));
  if (loader) __cxa_atexit((void (*)(void *))(void *)loader, NULL, NULL);
  __libc_early_init(1);
  __libc_init_first(count, words, __environ);
  __cxa_atexit(finish, NULL, NULL);
  if (__libc_enable_secure) __libc_check_standard_fds();
  for (void (**each)(int, char **, char **) = __preinit_array_start; each < __preinit_array_end; ++each)
    (*each)(count, words, __environ);
  _init();
  for (void (**each)(int, char **, char **) = __init_array_start; each < __init_array_end; ++each)
    (*each)(count, words, __environ);
  exit(main(count, words, __environ));
}

#else
typedef int skiff_begins_as_the_library_does;
#endif
