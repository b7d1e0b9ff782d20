// SPDX-License-Identifier: Apache-2.0
// trace - a timeline for Perfetto or chrome://tracing: one row per thread, one span per task, read,
// write, spill. Off until wf_trace_start; then off again at wf_trace_stop. One trace per process at
// a time. Any thread may call; a span costs one relaxed load when off, about 100 ns when on, and
// takes no lock that another span takes.
#ifndef WF_OBSERVE_TRACE_H
#define WF_OBSERVE_TRACE_H

#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"

// Fails with WEFT_BUSY when a trace is running. At most MAX_BYTES of memory hold spans (0: 64 MiB);
// what comes later is counted and dropped.
weft_status wf_trace_start(int64_t max_bytes) WEFT_WARN_UNUSED;
// Ends the trace and writes it to FILE as JSON (NULL: forgets it). Fails with WEFT_INVALID when
// none runs, or as wf_fail_errno does when FILE cannot be written; the trace is over in any case.
// *DROPPED (may be NULL) counts the spans left out.
weft_status wf_trace_stop(FILE *file, int64_t *dropped) WEFT_WARN_UNUSED;

extern int wf_trace_state;  // read it by wf_trace_is_on

static inline bool wf_trace_is_on(void)
{
    return __atomic_load_n(&wf_trace_state, __ATOMIC_RELAXED) != 0;
}

// The start of a span for wf_trace_end; 0 when off.
static inline int64_t wf_trace_begin(void) { return wf_trace_is_on() ? wf_clock_ns() : 0; }

void wf_trace_add(int64_t start, const char *category, const char *name, int64_t block,
                  int64_t bytes);

// Records the span from START until now on this thread's row. CATEGORY ("task", "read", "write",
// "spill") is a constant; NAME is copied, and cut to 47 bytes. BLOCK and BYTES are shown with it;
// -1: none.
static inline void wf_trace_end(int64_t start, const char *category, const char *name,
                                int64_t block, int64_t bytes)
{
    if (start && wf_trace_is_on()) wf_trace_add(start, category, name, block, bytes);
}

#endif
