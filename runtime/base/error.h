// SPDX-License-Identifier: Apache-2.0
// error - how anything in Weft fails: a status and one sentence, made together, kept per thread.
// Any thread may call. The text of the last failure holds until the thread's next failure.
#ifndef WF_BASE_ERROR_H
#define WF_BASE_ERROR_H

#include <inttypes.h>
#include <stdarg.h>

#include "weft/types.h"

// Records CODE and the sentence as this thread's last error; returns CODE. CODE must not be
// WEFT_OK. The sentence reads "where: what was expected, what came".
weft_status wf_fail_record(weft_status code, const char *fmt, ...) WEFT_PRINTF(2, 3);
// A macro, so that the compiler sees which code comes back: never WEFT_OK.
#define wf_fail(code, ...) (wf_fail_record((code), __VA_ARGS__), wf_failed(code))
static inline weft_status wf_failed(weft_status code) { return code; }

// The same with the text of ERRNO appended (": No space left on device"); picks the status from
// errno (ENOENT -> NOT_FOUND, EACCES/EPERM -> DENIED, ENOSPC/EDQUOT -> NO_SPACE, ENOMEM ->
// NO_MEMORY, EEXIST -> EXISTS, else IO).
weft_status wf_fail_errno(int err, const char *fmt, ...) WEFT_PRINTF(2, 3);

// This thread's last failure. The text is "" before the first. Borrows: until this thread's next
// failure.
weft_status wf_last_status(void);
const char *wf_last_error(void);

// An error carried between threads: copy out where it happened, raise where it is reported.
typedef struct wf_error {
    weft_status status;
    char text[480];
} wf_error;
void wf_error_take(wf_error *out);  // copies this thread's last failure
weft_status wf_error_raise(
    const wf_error *error);  // makes it this thread's last failure and returns its status

const char *wf_status_name(weft_status status);  // "WEFT_INVALID"; "?" for a number that is none

#define WF_TRY(expr)                                  \
    do {                                              \
        weft_status wf_try_st_ = (expr);              \
        if (wf_try_st_ != WEFT_OK) return wf_try_st_; \
    } while (0)

// A broken invariant of our own code; never for memory, disk, peers or users. Active in every
// build.
#define WF_ASSERT(cond) ((cond) ? (void)0 : wf_assert_failed(#cond, __FILE__, __LINE__))
void wf_assert_failed(const char *cond, const char *file, int line) __attribute__((noreturn));

#endif
