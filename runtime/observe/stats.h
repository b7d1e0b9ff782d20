// SPDX-License-Identifier: Apache-2.0
// stats - what a session counts about itself: relaxed counters, striped so that threads do not
// share cache lines. Any thread may call; a zeroed wf_stats is ready for use.
#ifndef WF_OBSERVE_STATS_H
#define WF_OBSERVE_STATS_H

#include "base/error.h"

// Every counter. X(NAME, name, kind, doc); kind: SUM counts up (or down), PEAK keeps the largest
// value seen.
// clang-format off
#define WF_STAT_LIST(X)                                                                       \
    X(BLOCKS_MADE, blocks_made, SUM, "blocks written by tasks")                               \
    X(BLOCKS_FREED, blocks_freed, SUM, "blocks given back")                                   \
    X(BLOCKS_REUSED, blocks_reused, SUM, "buffers that a task took over from its last input") \
    X(BLOCKS_RECOMPUTED, blocks_recomputed, SUM, "blocks made again after a loss")            \
    X(BYTES_READ, bytes_read, SUM, "bytes of array files gone through, and from readers")     \
    X(BYTES_WRITTEN, bytes_written, SUM, "bytes stored in array files, given to writers")      \
    X(BYTES_SPILLED, bytes_spilled, SUM, "bytes of blocks moved to disk, before compression") \
    X(BYTES_UNSPILLED, bytes_unspilled, SUM, "bytes of blocks brought back from disk")        \
    X(BYTES_SPILL_FILES, bytes_spill_files, SUM, "bytes really written to spill files")       \
    X(BYTES_COPIED, bytes_copied, SUM, "bytes copied between devices and host")               \
    X(BLOCKS_DROPPED, blocks_dropped, SUM, "clean copies dropped instead of spilled")         \
    X(PEAK_BYTES, peak_bytes, PEAK, "most tracked bytes of block memory at once")             \
    X(PEAK_SPILLED, peak_spilled, PEAK, "most bytes on disk at once")                         \
    X(REQUESTS, requests, SUM, "requests started")                                            \
    X(TASKS, tasks, SUM, "tasks finished")                                                    \
    X(STEPS, steps, SUM, "steps of tasks finished")                                           \
    X(RETRIES, retries, SUM, "tasks begun again")                                             \
    X(PLANS_MADE, plans_made, SUM, "plans made")                                              \
    X(PLANS_CACHED, plans_cached, SUM, "requests served by a cached plan")                    \
    X(STAGES, stages, SUM, "stages planned after counts came in")                             \
    X(PROGRAMS_BUILT, programs_built, SUM, "fused programs built")                            \
    X(KERNELS_COMPILED, kernels_compiled, SUM, "kernels compiled for a device")               \
    X(FALLBACKS, fallbacks, SUM, "times a slower way had to be taken")                        \
    X(DEVICES_LOST, devices_lost, SUM, "devices whose memory was lost")

typedef enum wf_stat {
#define WF_STAT_ENUM(NAME, name, kind, doc) WF_STAT_##NAME,
    WF_STAT_LIST(WF_STAT_ENUM)
#undef WF_STAT_ENUM
    WF_STAT_COUNT
} wf_stat;
// clang-format on

#define WF_STATS_STRIPES 8

typedef struct wf_stats {
    struct {
        int64_t value[(WF_STAT_COUNT + 7) / 8 * 8];  // whole cache lines
    } stripe[WF_STATS_STRIPES];
} wf_stats;

// Adds N (may be negative) to a SUM counter.
void wf_stats_add(wf_stats *stats, wf_stat stat, int64_t n);
// Raises a PEAK counter to VALUE if it is lower.
void wf_stats_peak(wf_stats *stats, wf_stat stat, int64_t value);
int64_t wf_stats_get(const wf_stats *stats, wf_stat stat);
// All counters at about one moment. OUT has WF_STAT_COUNT elements.
void wf_stats_read(const wf_stats *stats, int64_t *out);

const char *wf_stat_name(wf_stat stat);  // "blocks_made"
const char *wf_stat_doc(wf_stat stat);

#endif
