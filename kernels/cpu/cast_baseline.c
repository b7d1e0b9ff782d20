// SPDX-License-Identifier: Apache-2.0
// cast_baseline - cast.inc compiled for the instruction set "baseline"; the flags come from the
// build.
#include "cast.inc"
#include "table.h"

void wf_cast_fill_baseline(wf_kernel_table *table) { fill_cast(table); }
