// SPDX-License-Identifier: Apache-2.0
// text - a string that grows. A failed append is remembered and reported once, at wf_text_take or
// by wf_text_status. Not thread safe.
#ifndef WF_BASE_TEXT_H
#define WF_BASE_TEXT_H

#include "base/alloc.h"

typedef struct wf_text {
    char *data;  // NUL terminated when not NULL
    int64_t length, capacity;
    bool failed;
} wf_text;

void wf_text_add(wf_text *text, const char *fmt, ...) WEFT_PRINTF(2, 3);
void wf_text_add_bytes(wf_text *text, const void *bytes, size_t count);
weft_status wf_text_status(const wf_text *text) WEFT_WARN_UNUSED;
// Gives the string (wf_free it) or NULL when an append failed; TEXT is empty afterwards.
char *wf_text_take(wf_text *text) __attribute__((warn_unused_result));
void wf_text_fini(wf_text *text);

#endif
