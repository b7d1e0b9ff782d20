// SPDX-License-Identifier: Apache-2.0
// reduce_avx512 - reduce.inc compiled for the instruction set "avx512"; the flags come from the
// build.
#include "reduce.inc"
#include "table.h"

void wf_reduce_fill_avx512(wf_kernel_table *table) { fill_reduce(table); }
