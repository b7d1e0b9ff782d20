// SPDX-License-Identifier: Apache-2.0
// error - the last failure of each thread. Nothing here allocates, so running out of memory can be
// reported too.
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local wf_error last;

// Ends a text that was cut with "..." and never inside a UTF-8 character.
static void mark_cut(char *text, size_t capacity)
{
    size_t end = capacity - 4;
    while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80) end--;
    memcpy(text + end, "...", 4);
}

static void format_text(char *out, size_t capacity, const char *fmt, va_list args)
{
    int length = vsnprintf(out, capacity, fmt, args);
    if (length < 0) out[0] = '\0';
    else if ((size_t)length >= capacity) mark_cut(out, capacity);
}

weft_status wf_fail_record(weft_status code, const char *fmt, ...)
{
    char text[sizeof last.text];  // an argument may be the last text itself
    va_list args;

    WF_ASSERT(code != WEFT_OK);
    va_start(args, fmt);
    format_text(text, sizeof text, fmt, args);
    va_end(args);
    last.status = code;
    memcpy(last.text, text, sizeof text);
    return code;
}

static weft_status status_from_errno(int err)
{
    switch (err) {
    case ENOENT: return WEFT_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS: return WEFT_DENIED;
    case ENOSPC:
    case EDQUOT: return WEFT_NO_SPACE;
    case ENOMEM: return WEFT_NO_MEMORY;
    case EEXIST: return WEFT_EXISTS;
    default: return WEFT_IO;
    }
}

// The C library's English text: messages must not change with the host program's locale.
static const char *errno_text(int err)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
    const char *text = strerrordesc_np(err);
#else
    const char *text = strerror(err);
#endif
    return text ? text : "unknown system error";
}

weft_status wf_fail_errno(int err, const char *fmt, ...)
{
    char text[sizeof last.text];
    va_list args;

    va_start(args, fmt);
    format_text(text, sizeof text, fmt, args);
    va_end(args);
    return wf_fail(status_from_errno(err), "%s: %s", text, errno_text(err));
}

weft_status wf_last_status(void) { return last.status; }

const char *wf_last_error(void) { return last.text; }

void wf_error_take(wf_error *out) { *out = last; }

weft_status wf_error_raise(const wf_error *error)
{
    if (error->status == WEFT_OK) return WEFT_OK;
    last.status = error->status;
    memmove(last.text, error->text, sizeof last.text);
    last.text[sizeof last.text - 1] = '\0';  // it may have come over a wire
    return last.status;
}

const char *wf_status_name(weft_status status)
{
    switch (status) {
#define STATUS_NAME(name, number, text) \
    case WEFT_##name: return "WEFT_" #name;
        WEFT_STATUS_LIST(STATUS_NAME)
#undef STATUS_NAME
    }
    return "?";
}

void wf_assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "weft: internal error, please report it: %s (%s:%d)\n", cond, file, line);
    abort();
}
