// Where a program that makes containers begins, before the C library: it is exchanged for itself while nothing of it has
// been written to.
//
//   before   /proc/self/exe ─▶ the program's file, by whose segments the process runs
//   after    /proc/self/exe ─▶ an empty file in memory, sealed; the segments are those of the same file on a mount of its own,
//            read-only and attached nowhere
//
// The kernel forgets a process's program only when none of its segments is mapped from it any more. Done here, mapping them
// again is all there is to it: later, each page that was written to has to be carried over, and what was touched is touched
// again (0.3 ms; here 0.1). So neither errno nor a stack guard nor any function of the C library is there yet: those need the
// thread's own memory, or addresses that are only filled in later.
//
// Where it cannot be done, `skiff_sealed_mount` stays -1, and the program sees to it in another way: ProgramSeal. On other
// processors than these two it begins as every program does.
#include "RawCall.h"
#ifdef SKIFF_HAS_RAW_CALL
#include "CLinux.h"
#include "CQuickStart.h"

#include <stddef.h>

#define EARLY __attribute__((no_stack_protector, noinline))

#if defined(__x86_64__)
// The kernel's word for the first function, rdx, and its stack are what `_start` begins with.
#define ENTRY(name, body)                                                                                             \
  __asm__(".text\n.globl " #name "\n.type " #name ", @function\n" #name ":\n"                                         \
          "xor %ebp, %ebp\nmov %rsp, %rdi\npush %rdx\npush %rdx\ncall " #body "\npop %rdx\npop %rdx\njmp _start\n"    \
          ".size " #name ", . - " #name "\n")
#else
#define ENTRY(name, body)                                                                                             \
  __asm__(".text\n.globl " #name "\n.type " #name ", %function\n" #name ":\n"                                         \
          "mov x19, x0\nmov x0, sp\nbl " #body "\nmov x0, x19\nb _start\n"                                            \
          ".size " #name ", . - " #name "\n")
#endif

#define CALL1(number, a) skiff_raw_call(number, (long)(a), 0, 0, 0, 0, 0)
#define CALL3(number, a, b, c) skiff_raw_call(number, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL5(number, a, b, c, d, e) skiff_raw_call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

// A loop that stays one: nothing of string.h can be called yet.
#define KEEP __asm__ volatile("" ::: "memory")

// What the kernel put on the first stack.
struct start {
  unsigned long *stack;
  const char **arguments;
  const Elf64_Phdr *headers;
  unsigned long count, page, base;
  unsigned long arguments_end, environment, environment_end;
};

static EARLY unsigned long end_of(const char *text) {
  while (*text) {
    text++;
    KEEP;
  }
  return (unsigned long)(text + 1);
}

static EARLY int read_start(struct start *start, unsigned long *stack) {
  const char **word = (const char **)(stack + 1);
  start->stack = stack;
  start->arguments = word;
  start->headers = NULL;
  start->count = start->page = start->base = 0;
  if (!*word) return 0;
  while (word[1]) word++;
  start->arguments_end = start->environment = start->environment_end = end_of(*word);
  word += 2;
  if (*word) {
    start->environment = (unsigned long)*word;
    while (word[1]) word++;
    start->environment_end = end_of(*word++);
  }
  for (const Elf64_auxv_t *entry = (const Elf64_auxv_t *)(word + 1); entry->a_type != AT_NULL; entry++) {
    if (entry->a_type == AT_PHDR) start->headers = (const Elf64_Phdr *)entry->a_un.a_val;
    if (entry->a_type == AT_PHNUM) start->count = entry->a_un.a_val;
    if (entry->a_type == AT_PAGESZ) start->page = entry->a_un.a_val;
  }
  if (!start->headers || !start->page) return 0;
  for (unsigned long index = 0; index < start->count; index++) {
    const Elf64_Phdr *header = start->headers + index;
    if (header->p_type == PT_PHDR) start->base = (unsigned long)start->headers - header->p_vaddr;
    // What loads libraries has mapped its own by now.
    if (header->p_type == PT_INTERP) return 0;
  }
  return 1;
}

// "/proc/self/fd/N", by which an open file is opened anew.
static EARLY long reopen(long descriptor) {
  char path[32];
  const char *prefix = "/proc/self/fd/";
  int at = 0;
  for (; prefix[at]; at++) {
    path[at] = prefix[at];
    KEEP;
  }
  long scale = 1;
  while (descriptor / scale >= 10) scale *= 10;
  for (; scale; scale /= 10) path[at++] = (char)('0' + descriptor / scale % 10);
  path[at] = 0;
  return CALL5(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0, 0);
}

// What `/proc/<pid>/exe` leads to from now on: a file nobody can run, read something from, or write to.
static EARLY long empty_program(void) {
  const char *name = "skiff";
  // MFD_EXEC; kernels before 6.3 do not know it and need none.
  long file = CALL3(SYS_memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING | 0x10, 0);
  if (file == -EINVAL) file = CALL3(SYS_memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING, 0);
  if (file < 0) return file;
  long result = CALL3(SYS_fcntl, file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  // The kernel takes no program that is open for writing.
  if (result == 0) result = reopen(file);
  CALL1(SYS_close, file);
  return result;
}

static EARLY void map_again(const struct start *start, long file) {
  for (unsigned long index = 0; index < start->count; index++) {
    const Elf64_Phdr *header = start->headers + index;
    if (header->p_type != PT_LOAD || header->p_filesz == 0) continue;
    unsigned long page = start->page, address = start->base + header->p_vaddr;
    unsigned long first = address / page * page, last = address + header->p_filesz;
    unsigned long end = (last + page - 1) / page * page;
    int protection = (header->p_flags & PF_R ? PROT_READ : 0) | (header->p_flags & PF_W ? PROT_WRITE : 0) |
                     (header->p_flags & PF_X ? PROT_EXEC : 0);
    long at = skiff_raw_call(SYS_mmap, (long)first, (long)(end - first), protection, MAP_PRIVATE | MAP_FIXED, file,
                         (long)(header->p_offset / page * page));
    // The old segment may be gone by now.
    if (at != (long)first) CALL1(SYS_exit_group, 127);
    // Behind what the file has, zeros, as at the start.
    if (header->p_flags & PF_W && header->p_memsz > header->p_filesz)
      for (char *byte = (char *)last; byte < (char *)end; byte++) {
        *byte = 0;
        KEEP;
      }
  }
}

// prctl(2), PR_SET_MM_MAP: all of a process's memory is described anew together with its program, by whoever may restore
// checkpoints; PR_SET_MM_EXE_FILE asks for the right to exceed limits, and nothing else changes.
static EARLY long set_program(const struct start *start, long file) {
  struct prctl_mm_map map;
  unsigned long code = ~0UL, code_end = 0, data = 0, data_end = 0;
  for (unsigned long index = 0; index < start->count; index++) {
    const Elf64_Phdr *header = start->headers + index;
    if (header->p_type != PT_LOAD) continue;
    unsigned long first = start->base + header->p_vaddr, last = first + header->p_filesz;
    if (header->p_flags & PF_X && first < code) code = first;
    if (header->p_flags & PF_X && last > code_end) code_end = last;
    if (first > data) data = first;
    if (last > data_end) data_end = last;
  }
  map.start_code = code;
  map.end_code = code_end;
  map.start_data = data;
  map.end_data = data_end;
  map.start_brk = map.brk = (unsigned long)CALL1(SYS_brk, 0);
  map.start_stack = (unsigned long)start->stack;
  map.arg_start = (unsigned long)start->arguments[0];
  map.arg_end = start->arguments_end;
  map.env_start = start->environment;
  map.env_end = start->environment_end;
  map.auxv = NULL;
  map.auxv_size = 0;
  map.exe_fd = (unsigned)file;
  long result = CALL5(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0);
  return result == 0 ? 0 : CALL5(SYS_prctl, PR_SET_MM, PR_SET_MM_EXE_FILE, file, 0, 0);
}

static EARLY void seal(unsigned long *stack) {
  struct start start;
  if (!read_start(&start, stack)) return;
  long tree = CALL3(SYS_open_tree, AT_FDCWD, "/proc/self/exe", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (tree < 0) return;
  if (tree < 3) {
    // A standard stream its caller closed is not to become one of the container's.
    long low = tree;
    tree = CALL3(SYS_fcntl, low, F_DUPFD_CLOEXEC, 3);
    CALL1(SYS_close, low);
    if (tree < 0) return;
  }
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
  long file = CALL5(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
  if (file == 0) file = reopen(tree);
  if (file < 0) {
    CALL1(SYS_close, tree);
    return;
  }
  long program = empty_program();
  map_again(&start, file);
  // Where files in memory cannot be run, as vm.memfd_noexec has it, the program's own on the read-only mount does.
  int is_sealed = (program >= 0 && set_program(&start, program) == 0) || set_program(&start, file) == 0;
  if (program >= 0) CALL1(SYS_close, program);
  CALL1(SYS_close, file);
  if (is_sealed)
    skiff_sealed_mount = (int)tree;
  else
    CALL1(SYS_close, tree);
}

static EARLY int is_word(const char *text, const char *word) {
  while (*text && *text == *word) {
    text++;
    word++;
  }
  return *text == *word;
}

// What most runs need of the program's code lies side by side at its beginning (functions.order), and the linker puts that where
// a page of 2 MiB can begin. Asked to, the kernel reads it from disk as one such page and maps it at once, instead of 64 KiB at
// each of forty faults, and unmaps it at once. Where the file came into memory otherwise, nothing changes.
// Of the code behind it little is needed: that is not to be mapped so, however it came into memory.
static EARLY void map_code_at_once(unsigned long *stack) {
  const unsigned long size = 2UL << 20;
  struct start start;
  if (!read_start(&start, stack)) return;
  for (unsigned long index = 0; index < start.count; index++) {
    const Elf64_Phdr *header = start.headers + index;
    if (header->p_type != PT_LOAD || !(header->p_flags & PF_X)) continue;
    unsigned long first = start.base + header->p_vaddr;
    if (first % size != 0 || header->p_offset % size != 0 || header->p_filesz < size) continue;
    unsigned long rest = (header->p_filesz + start.page - 1) / start.page * start.page - size;
    CALL3(SYS_madvise, first, size, MADV_HUGEPAGE);
    if (rest > 0) CALL3(SYS_madvise, first + size, rest, MADV_NOHUGEPAGE);
  }
}

__attribute__((used)) EARLY void skiff_seal_always(unsigned long *stack) { seal(stack); }

// Whether one of the words is a verb that enters containers; that it is the verb is not known yet.
__attribute__((used)) EARLY void skiff_seal_by_verb(unsigned long *stack) {
  const char **word = (const char **)(stack + 1);
  while (*word && *++word)
    if (is_word(*word, "create") || is_word(*word, "exec") || is_word(*word, "run") || is_word(*word, "restore")) {
      seal(stack);
      break;
    }
  map_code_at_once(stack);
}

ENTRY(skiff_start_sealed, skiff_seal_always);
ENTRY(skiff_start_verb, skiff_seal_by_verb);
#else
typedef int skiff_begins_as_every_program_does;
#endif
