// SPDX-License-Identifier: Apache-2.0
// stream_avx512 - stream.inc compiled for the instruction set "avx512"; the flags come from the
// build.
#include "stream.inc"
#include "table.h"

void wf_stream_fill_avx512(wf_kernel_table *table) { fill_stream(table); }
