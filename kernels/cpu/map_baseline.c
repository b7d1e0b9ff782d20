// SPDX-License-Identifier: Apache-2.0
// map_baseline - map.inc compiled for the instruction set "baseline"; the flags come from the
// build.
#include "map.inc"
#include "table.h"

void wf_map_fill_baseline(wf_kernel_table *table) { fill_map(table); }
