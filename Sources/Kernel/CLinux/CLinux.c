// Present so that the target has an object file: everything is static inline in the header.
#include "CLinux.h"
