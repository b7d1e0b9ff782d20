// SPDX-License-Identifier: Apache-2.0
// cpu - the parts of the CPU device that its ops table is made of. Everything works on the calling
// thread, which is one of the engine's: the device starts no threads.
#ifndef WF_CPU_CPU_H
#define WF_CPU_CPU_H

#include "device/cpu/nest.h"
#include "kernel.h"
#include "weft/plugin.h"

// Runs LAUNCH. An output may take the place of one input: the same first element, strides and
// element size; else outputs overlap nothing.
weft_status wf_map_launch(const wf_kernel_table *table, const wf_launch *launch) WEFT_WARN_UNUSED;
int64_t wf_map_scratch(const wf_kernel_table *table,
                       const wf_launch *launch);  // bytes it takes while it runs

weft_status wf_reduce_run(const wf_kernel_table *table,
                          const wf_reduce_launch *launch) WEFT_WARN_UNUSED;

// Copies elements of ITEM bytes from IN to OUT over NEST, whose operand 0 is IN and 1 is OUT. NEST
// is used up.
void wf_copy_run(const wf_kernel_table *table, wf_nest *nest, int64_t item, const char *in,
                 char *out);
weft_status wf_copy_box_run(const wf_kernel_table *table,
                            const weft_copy_box *copy) WEFT_WARN_UNUSED;

weft_status wf_gemm_run(const wf_kernel_table *table, const weft_gemm *gemm) WEFT_WARN_UNUSED;

#endif
