// How Swift's runtime makes the first generic type of a kind, in a program that lives for a millisecond.
//
// The standard library is compiled with records of some types, as of the storage of an array of strings. When a program first
// asks for any array's storage, the runtime completes all 22 of that kind and enters them into its table, whichever was asked
// for; the same for arrays, optionals and the storage of dictionaries. Here only what is asked for is made, as for a kind that
// has no such records.
//
// What was compiled with the library keeps its record, so a type may have two, one in the library's own code and one in the
// program's. They describe the same memory. Who compares types, with == or `as?`, has to have both from the same side, as the
// two programs that are linked with this have.
#if defined(__clang__)
#include "CQuickStart.h"

// What the runtime answers: a type's record, and how far it is made. Both come back in registers, as Swift returns them.
struct response {
  const void *type;
  unsigned long state;
};

__attribute__((swiftcall)) struct response swift_getGenericMetadata(unsigned long request, const void *const *arguments,
                                                                    void *description);

// Swift's own of this name, whose place this takes (--wrap), fills the table first; `once` is its note that it has.
__attribute__((swiftcall)) struct response __wrap_swift_getCanonicalPrespecializedGenericMetadata(
    unsigned long request, const void *const *arguments, void *description, void *once) {
  return swift_getGenericMetadata(request, arguments, description);
}
#endif
