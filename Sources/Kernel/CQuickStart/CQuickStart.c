// What Swift's runtime does at every start, and a program that lives for a millisecond does not need.
//
// Each of these functions stands in for the one of the same name in libswiftCore.a, whose object file then stays out of the
// program, together with its initializer. They are weak: where a later runtime asks for more from such a file, the file's
// own functions take over again.
#include "CLinux.h"
#include "CQuickStart.h"

#include <stdbool.h>
#include <stddef.h>

// Backtrace.cpp: looks for a program that prints backtraces, by nine system calls, and obeys the caller's SWIFT_BACKTRACE,
// which has no business in a program that makes containers. The runtime names this function only to have the file linked.
__attribute__((weak)) bool _swift_backtrace_isThunkFunction(const char *name) {
  (void)name;
  return false;
}

// CommandLine.cpp: looks for the arguments through the stack, for which it reads /proc/self/maps at every start.
__attribute__((weak)) char **_swift_stdlib_getUnsafeArgvArgc(int *length) {
  static char *none[] = {NULL};
  char **words = (char **)skiff_arguments();
  *length = 0;
  while (words && words[*length]) ++*length;
  return words ? words : none;
}
