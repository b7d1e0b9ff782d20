// SPDX-License-Identifier: Apache-2.0
// reduce_avx2 - reduce.inc compiled for the instruction set "avx2"; the flags come from the build.
#include "reduce.inc"
#include "table.h"

void wf_reduce_fill_avx2(wf_kernel_table *table) { fill_reduce(table); }
