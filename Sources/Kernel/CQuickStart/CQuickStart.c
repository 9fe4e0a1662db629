// What Swift's runtime does at every start, and a program that lives for a millisecond does not need.
//
// The function stands in for the one of the same name in libswiftCore.a, whose object file, CommandLine.cpp, then stays out of
// the program together with its initializer: that looks for the arguments through the stack, for which it reads
// /proc/self/maps at every start. It is weak: where a later runtime asks for more from that file, the file's own takes over.
#include "CLinux.h"
#include "CQuickStart.h"

#include <stddef.h>

__attribute__((weak)) char **_swift_stdlib_getUnsafeArgvArgc(int *length) {
  static char *none[] = {NULL};
  char **words = (char **)skiff_arguments();
  *length = 0;
  while (words && words[*length]) ++*length;
  return words ? words : none;
}

// Where a program that prints backtraces would be, which the runtime looks for at every start beside the file it runs from: that
// is an empty one here (SealedStart.c), and what lies in the caller's working directory is not to be run. The linker puts this
// in the place of the runtime's own (--wrap).
const char *__wrap_swift_copyAuxiliaryExecutablePath(const char *name) { return NULL; }

// The directory of the program, which the C library reads from /proc/self/exe at every start, for libraries that are asked for
// beside it: nothing is loaded here. This is its own word for "not known".
const char *__wrap__dl_get_origin(void) { return (const char *)-1; }
