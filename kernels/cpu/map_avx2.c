// SPDX-License-Identifier: Apache-2.0
// map_avx2 - map.inc compiled for the instruction set "avx2"; the flags come from the build.
#include "map.inc"
#include "table.h"

void wf_map_fill_avx2(wf_kernel_table *table) { fill_map(table); }
