// SPDX-License-Identifier: Apache-2.0
// cast_avx2 - cast.inc compiled for the instruction set "avx2"; the flags come from the build.
#include "cast.inc"
#include "table.h"

void wf_cast_fill_avx2(wf_kernel_table *table) { fill_cast(table); }
