// Linked into the small static programs: CQuickStart.c for what it keeps out of them, SealedStart.c for where they begin.
#pragma once

// Written before the C library begins, so it must be reached without a table of addresses.
extern int skiff_sealed_mount __attribute__((visibility("hidden")));
