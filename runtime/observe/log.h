// SPDX-License-Identifier: Apache-2.0
// log - what a program may want to know though nothing failed: fallbacks, retries, losses survived.
// Silent until a callback is set. The library never logs what it returns as an error. Any thread
// may call; hold no lock while calling wf_log.
#ifndef WF_OBSERVE_LOG_H
#define WF_OBSERVE_LOG_H

#include "base/error.h"

typedef enum wf_log_level { WF_LOG_ERROR = 1, WF_LOG_WARN, WF_LOG_INFO, WF_LOG_DEBUG } wf_log_level;

// Gets one sentence without a newline. Called on any thread, on several at once; no lock of Weft's
// is held.
typedef void wf_log_fn(void *context, int level, const char *text);

// Sends messages up to LEVEL to FN; FN NULL or LEVEL 0 is silence. When it returns, the callback
// before is running nowhere and will not be called again, unless this is called inside a callback:
// then it does not wait for others.
void wf_log_set(wf_log_fn *fn, void *context, int level);

bool wf_log_is_on(wf_log_level level);
void wf_log(wf_log_level level, const char *fmt, ...) WEFT_PRINTF(2, 3);
// The same, but once per KEY and callback, whatever the text. KEY is any text that names the cause:
// "fallback:blas".
void wf_log_once(const char *key, wf_log_level level, const char *fmt, ...) WEFT_PRINTF(3, 4);

const char *wf_log_level_name(wf_log_level level);  // "warn"
// 0 for "off", -1 for a name that is none.
int wf_log_level_find(const char *name);

#endif
