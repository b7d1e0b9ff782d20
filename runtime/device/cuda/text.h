// SPDX-License-Identifier: Apache-2.0
// text - generated source, growing at its end. Memory comes from the host table. Used by one
// thread.
#ifndef WF_CUDA_TEXT_H
#define WF_CUDA_TEXT_H

#include "weft/types.h"

typedef struct wf_cuda_text {
    char *data;  // ended by a zero; NULL while nothing was added, or after memory ran out
    size_t size, room;
    bool failed;  // memory ran out, and was recorded; further calls do nothing
} wf_cuda_text;

void wf_cuda_text_add(wf_cuda_text *text, const char *fmt, ...) WEFT_PRINTF(2, 3);
void wf_cuda_text_fini(wf_cuda_text *text);

#endif
