#include "CLinux.h"

// glibc hands every initializer what main gets, in order and before Swift's own start.
static char **arguments;
__attribute__((constructor)) static void keep_arguments(int count, char **values) {
  if (count > 0) arguments = values;
}

char *const *skiff_arguments(void) { return arguments; }

int skiff_sealed_mount = -1;
int skiff_own_mount(void) { return skiff_sealed_mount; }
