// SPDX-License-Identifier: Apache-2.0
// error - what a program sees of failures: the last one and the pending one of each thread, and
// what callbacks say. Also versions, dtypes and the log: the calls that need no session.
#include <string.h>

#include "api/session.h"
#include "array/dtype.h"
#include "base/build_info.h"
#include "observe/log.h"

// The failure of a lazy call that no working call has met yet. A status of WEFT_OK: none.
static _Thread_local wf_error pending;
// The last one that was: another NULL of the same chain may come later.
static _Thread_local wf_error told;
// How deep in functions of the user's this thread is, and whether the innermost gave its sentence.
static _Thread_local int callbacks;
static _Thread_local bool spoke;

weft_array *wf_pend(void)
{
    if (pending.status == WEFT_OK) wf_error_take(&pending);
    return NULL;
}

bool wf_is_pending(void) { return pending.status != WEFT_OK; }

void wf_pending_clear(void) { pending.status = told.status = WEFT_OK; }

static const char echo[] = "; this thread's last failure was told before: ";

weft_status weft_error_take(void)
{
    weft_status st = pending.status;
    if (st == WEFT_OK) return st;
    (void)wf_error_raise(&pending);
    if (!strstr(pending.text, echo)) told = pending;  // what repeats a failure is none of its own
    pending.status = WEFT_OK;
    return st;
}

weft_status wf_null_status(const char *where, const char *what)
{
    weft_status st = weft_error_take();
    if (st != WEFT_OK) return st;
    if (told.status == WEFT_OK)
        return wf_fail(WEFT_INVALID, "%s: %s is NULL and no call on this thread failed", where,
                       what);
    return wf_fail(WEFT_INVALID, "%s: %s is NULL%s%s", where, what, echo, told.text);
}

weft_status weft_error_set(weft_status status, const char *text)
{
    if (status == WEFT_OK) return WEFT_OK;
    if (strcmp(wf_status_name(status), "?") == 0) status = WEFT_INTERNAL;
    spoke = true;
    return wf_fail(status, "%s", text ? text : wf_status_name(status));
}

void wf_callback_begin(void)
{
    callbacks++;
    spoke = false;
}

weft_status wf_callback_end(const char *what, weft_status status)
{
    bool said = spoke && wf_last_status() == status;
    callbacks--;
    spoke = false;
    if (status == WEFT_OK || said) return status;
    const char *name = wf_status_name(status);
    if (strcmp(name, "?") == 0)
        return wf_fail(WEFT_INTERNAL, "%s: the function returned %d, which is no status", what,
                       (int)status);
    return wf_fail(status, "%s: the function returned %s", what, name);
}

weft_status wf_callback_refuse(const char *where)
{
    return callbacks ? wf_fail(WEFT_BUSY, "%s: a callback of Weft's must not wait for it", where)
                     : WEFT_OK;
}

weft_status wf_reserved_check(const char *name, const uint64_t *reserved, int count)
{
    for (int i = 0; i < count; i++)
        if (reserved[i])
            return wf_fail(
                WEFT_INVALID,
                "weft_%s options: reserved field is set; this program was written for a newer library",
                name);
    return WEFT_OK;
}

weft_status weft_last_status(void) { return wf_last_status(); }

const char *weft_last_error(void) { return wf_last_error(); }

const char *weft_status_name(weft_status status) { return wf_status_name(status); }

const char *weft_version(void) { return WF_BUILD_VERSION; }

size_t weft_dtype_size(weft_dtype dtype) { return wf_dtype_size(dtype); }

const char *weft_dtype_name(weft_dtype dtype) { return wf_dtype_name(dtype); }

weft_status weft_dtype_parse(const char *name, weft_dtype *out)
{
    if (!name) return wf_fail(WEFT_INVALID, "dtype: name is NULL");
    return wf_dtype_parse(name, out);
}

weft_dtype weft_dtype_promote(weft_dtype a, weft_dtype b)
{
    return wf_dtype_is_valid(a) && wf_dtype_is_valid(b) ? wf_dtype_promote(a, b)
                                                        : WEFT_DTYPE_DEFAULT;
}

bool weft_dtype_can_cast(weft_dtype from, weft_dtype to)
{
    return wf_dtype_is_valid(from) && wf_dtype_is_valid(to) && wf_dtype_can_cast(from, to);
}

void weft_set_log(weft_log_fn *log, void *context)
{
    wf_log_set(log, context, log ? WF_LOG_DEBUG : 0);
}
