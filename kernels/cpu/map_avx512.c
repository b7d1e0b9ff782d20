// SPDX-License-Identifier: Apache-2.0
// map_avx512 - map.inc compiled for the instruction set "avx512"; the flags come from the build.
#include "map.inc"
#include "table.h"

void wf_map_fill_avx512(wf_kernel_table *table) { fill_map(table); }
