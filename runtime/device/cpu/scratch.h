// SPDX-License-Identifier: Apache-2.0
// scratch - the working memory of a launch: one piece per thread, kept from launch to launch so
// that launching does not allocate. Freed when its thread ends, when the last CPU device closes, or
// after a launch that needed unusually much.
#ifndef WF_CPU_SCRATCH_H
#define WF_CPU_SCRATCH_H

#include "base/alloc.h"

// Gives BYTES of this thread's scratch, 64-byte aligned, contents undefined. Borrows: until this
// thread's next call.
weft_status wf_scratch_get(size_t bytes, char **out) WEFT_WARN_UNUSED;
void wf_scratch_trim(void);      // at the end of a launch: gives back what is unusually much
void wf_scratch_free_all(void);  // of every thread; no launch may run

#endif
