// SPDX-License-Identifier: Apache-2.0
// text - a string that grows.
#include "base/text.h"

#include <stdio.h>
#include <string.h>

// Makes room for EXTRA bytes and the final NUL; false, and remembered, when there is no memory.
static bool reserve(wf_text *text, size_t extra)
{
    int64_t want;

    if (text->failed) return false;
    if (__builtin_add_overflow(text->length + 1, extra, &want) ||
        wf_grow(&text->data, &text->capacity, want, 1) != WEFT_OK)
        text->failed = true;
    return !text->failed;
}

void wf_text_add(wf_text *text, const char *fmt, ...)
{
    va_list args, again;

    va_start(args, fmt);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, fmt, args);
    if (length < 0) {
        text->failed = true;
    } else if (reserve(text, (size_t)length)) {
        vsnprintf(text->data + text->length, (size_t)length + 1, fmt, again);
        text->length += length;
    }
    va_end(again);
    va_end(args);
}

void wf_text_add_bytes(wf_text *text, const void *bytes, size_t count)
{
    if (!reserve(text, count)) return;
    if (count) memcpy(text->data + text->length, bytes, count);
    text->length += (int64_t)count;
    text->data[text->length] = '\0';
}

weft_status wf_text_status(const wf_text *text)
{
    if (!text->failed) return WEFT_OK;
    return wf_fail(WEFT_NO_MEMORY,
                   "out of host memory: a text of more than %" PRId64 " bytes did not fit",
                   text->length);
}

char *wf_text_take(wf_text *text)
{
    char *data = NULL;

    if (wf_text_status(text) == WEFT_OK) {
        data = text->data ? text->data : wf_strdup("");
        text->data = NULL;
    }
    wf_text_fini(text);
    return data;
}

void wf_text_fini(wf_text *text)
{
    wf_free(text->data);
    *text = (wf_text){ 0 };
}
