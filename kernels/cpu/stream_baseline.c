// SPDX-License-Identifier: Apache-2.0
// stream_baseline - stream.inc compiled for the instruction set "baseline"; the flags come from the
// build.
#include "stream.inc"
#include "table.h"

void wf_stream_fill_baseline(wf_kernel_table *table) { fill_stream(table); }
