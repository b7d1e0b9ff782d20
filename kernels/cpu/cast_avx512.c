// SPDX-License-Identifier: Apache-2.0
// cast_avx512 - cast.inc compiled for the instruction set "avx512"; the flags come from the build.
#include "cast.inc"
#include "table.h"

void wf_cast_fill_avx512(wf_kernel_table *table) { fill_cast(table); }
