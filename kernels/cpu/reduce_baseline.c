// SPDX-License-Identifier: Apache-2.0
// reduce_baseline - reduce.inc compiled for the instruction set "baseline"; the flags come from the
// build.
#include "reduce.inc"
#include "table.h"

void wf_reduce_fill_baseline(wf_kernel_table *table) { fill_reduce(table); }
