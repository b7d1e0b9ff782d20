// SPDX-License-Identifier: Apache-2.0
// machine - what this process may use of the machine it runs on: CPUs by affinity and cgroup quota,
// memory by cgroup limit. Linux; cgroups v1 and v2. Nothing is changed. Any thread may call.
#ifndef WF_BASE_MACHINE_H
#define WF_BASE_MACHINE_H

#include "base/text.h"

typedef struct wf_machine {
    int cpus;         // this process may use: by affinity, cut to the cgroup's quota (rounded up)
    int cpus_online;  // of the whole machine
    int64_t memory_total;  // bytes of the whole machine; 0 where unknown
    int64_t memory_limit;  // the least of memory_total, every cgroup limit above this process, and
                           // half of what a limit of address space (RLIMIT_AS) leaves
    // What could still be taken now without swapping or being killed; at most memory_limit.
    int64_t memory_available;
    int64_t page_size;
} wf_machine;

// Looks at the machine. Never fails: what cannot be read counts as unlimited.
void wf_machine_probe(wf_machine *out);
// The same with all of /proc and /sys under ROOT ("" for the real ones), for tests. AFFINITY
// replaces the affinity's count.
void wf_machine_probe_at(const char *root, int affinity, wf_machine *out);

// For doctor: "Intel Xeon ... : sse4_2 avx avx2 fma avx512f ..."; says so where it is unknown.
void wf_machine_describe_cpu(wf_text *text);

// Whether files in FOLDER lie in memory (tmpfs, ramfs), so that spilling there frees nothing. Fails
// as wf_fail_errno does.
weft_status wf_machine_is_tmpfs(const char *folder, bool *out) WEFT_WARN_UNUSED;
// Bytes that this user may still write in FOLDER.
weft_status wf_machine_disk_free(const char *folder, int64_t *out) WEFT_WARN_UNUSED;

#endif
