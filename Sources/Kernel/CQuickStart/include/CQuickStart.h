// Linked into the small static programs for what it keeps out of them; see CQuickStart.c.
#pragma once
