#include "CLinux.h"

#include <linux/sockios.h>
#include <net/if.h>

// glibc hands every initializer what main gets, in order and before Swift's own start.
static char **arguments;
__attribute__((constructor)) static void keep_arguments(int count, char **values) {
  if (count > 0) arguments = values;
}

char *const *skiff_arguments(void) { return arguments; }

int skiff_sealed_mount = -1;
int skiff_own_mount(void) { return skiff_sealed_mount; }

// The segments nobody can write to, the last one first: the headers lie in the first.
void skiff_release_program(void) {
  const Elf64_Phdr *headers = (const Elf64_Phdr *)getauxval(AT_PHDR);
  unsigned long count = getauxval(AT_PHNUM), page = getauxval(AT_PAGESZ), base = 0;
  if (!headers || !page) return;
  for (unsigned long index = 0; index < count; index++)
    if (headers[index].p_type == PT_PHDR) base = (unsigned long)headers - headers[index].p_vaddr;
  for (unsigned long index = count; index-- > 0;) {
    if (headers[index].p_type != PT_LOAD || headers[index].p_flags & PF_W) continue;
    unsigned long first = (base + headers[index].p_vaddr) / page * page;
    unsigned long last = (base + headers[index].p_vaddr + headers[index].p_filesz) / page * page;
    if (first < last) madvise((void *)first, last - first, MADV_DONTNEED);
  }
}

int skiff_network_of(int socket) { return ioctl(socket, SIOCGSKNS); }

int skiff_set_up(int socket, const char *name) {
  // What else there is of flags cannot be changed, or is not there on an interface that is down.
  struct ifreq request = {.ifr_flags = IFF_UP};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  return ioctl(socket, SIOCSIFFLAGS, &request);
}
