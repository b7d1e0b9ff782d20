// SPDX-License-Identifier: Apache-2.0
// stream_avx2 - stream.inc compiled for the instruction set "avx2"; the flags come from the build.
#include "stream.inc"
#include "table.h"

void wf_stream_fill_avx2(wf_kernel_table *table) { fill_stream(table); }
