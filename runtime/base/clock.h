// SPDX-License-Identifier: Apache-2.0
// clock - monotonic time: never set back, comparable between threads of one process only.
// Any thread may call; nothing fails.
#ifndef WF_BASE_CLOCK_H
#define WF_BASE_CLOCK_H

#include <stdint.h>

int64_t wf_clock_ns(void);  // nanoseconds since some fixed moment; always positive
double wf_clock_now(void);  // the same in seconds

#endif
