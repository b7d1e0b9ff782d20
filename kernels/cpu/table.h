// SPDX-License-Identifier: Apache-2.0
// table - the functions that enter one instruction set's kernels in a table; each is compiled with
// that set's flags.
#ifndef WF_CPU_TABLE_H
#define WF_CPU_TABLE_H

#include "kernel.h"

void wf_map_fill_baseline(wf_kernel_table *table);
void wf_cast_fill_baseline(wf_kernel_table *table);
void wf_reduce_fill_baseline(wf_kernel_table *table);
void wf_stream_fill_baseline(wf_kernel_table *table);

void wf_map_fill_avx2(wf_kernel_table *table);
void wf_cast_fill_avx2(wf_kernel_table *table);
void wf_reduce_fill_avx2(wf_kernel_table *table);
void wf_stream_fill_avx2(wf_kernel_table *table);

void wf_map_fill_avx512(wf_kernel_table *table);
void wf_cast_fill_avx512(wf_kernel_table *table);
void wf_reduce_fill_avx512(wf_kernel_table *table);
void wf_stream_fill_avx512(wf_kernel_table *table);

#endif
