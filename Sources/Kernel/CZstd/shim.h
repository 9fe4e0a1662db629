// As CLinux has it: two modules must not see one libc header in two ways.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <zstd.h>
