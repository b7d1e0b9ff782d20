// SPDX-License-Identifier: Apache-2.0
// clock - CLOCK_MONOTONIC, which Linux reads without a system call.
#include "base/clock.h"

#include <time.h>

int64_t wf_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);  // cannot fail for this clock
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec + 1;
}

double wf_clock_now(void) { return (double)wf_clock_ns() * 1e-9; }
