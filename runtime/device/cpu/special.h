// SPDX-License-Identifier: Apache-2.0
// special - the CPU device's operations that are not programs. Contracts: weft/plugin.h. Any thread.
#ifndef WF_CPU_SPECIAL_H
#define WF_CPU_SPECIAL_H

#include "kernel.h"
#include "weft/plugin.h"

weft_status wf_combine_run(const wf_kernel_table *table,
                           const weft_combine *combine) WEFT_WARN_UNUSED;
weft_status wf_scan_run(const wf_kernel_table *table, const weft_scan *scan) WEFT_WARN_UNUSED;
weft_status wf_select_run(const weft_select *select) WEFT_WARN_UNUSED;
weft_status wf_group_run(const wf_kernel_table *table, const weft_group *group) WEFT_WARN_UNUSED;

#endif
